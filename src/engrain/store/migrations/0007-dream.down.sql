drop view steps;
drop table dream_marks;
drop table dreams;
drop table policy_events;
drop table policies;
