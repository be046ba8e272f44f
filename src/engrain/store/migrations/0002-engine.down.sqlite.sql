delete from sqlite_stat1;
analyze sqlite_master;
