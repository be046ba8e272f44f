insert into passages (memory_id, tenant, agent, number, length, terms, vector, scale, embedder, analyzer)
select id, tenant, agent, 0, length, terms, vector, scale, embedder, analyzer from memories where terms is not null;
alter table memories drop column length;
alter table memories drop column terms;
alter table memories drop column vector;
alter table memories drop column scale;
alter table memories drop column embedder;
alter table memories drop column analyzer;
update sqlite_stat1 set stat = '1200000 1 1' where tbl = 'passages';
analyze sqlite_master;
