drop table issue_edits;
drop table fix_tallies;
drop table fix_plans;
drop table signatures;
drop table fixes;
