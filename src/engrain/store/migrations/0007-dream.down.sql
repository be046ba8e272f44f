drop view steps;
drop table dream_marks;
drop table dream_findings;
drop table dreams;
drop table policy_events;
drop table policies;
