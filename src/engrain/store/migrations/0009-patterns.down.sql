drop table trajectories;
drop table pattern_links;
drop table pattern_events;
drop table pattern_voices;
drop table pattern_uses;
drop table pattern_passages;
drop table patterns;
