-- The words and the vector of an item that is one passage stand in its own row: most items are, and each then costs two
-- trees less to write and no join to load. `terms` null: not indexed, or longer; then all its passages are in their table.
alter table memories add column length integer;
alter table memories add column terms blob;
alter table memories add column vector blob;
alter table memories add column scale double precision;
alter table memories add column embedder text;
alter table memories add column analyzer text;
update memories set length = p.length, terms = p.terms, vector = p.vector, scale = p.scale, embedder = p.embedder,
    analyzer = p.analyzer
from passages p where p.memory_id = memories.id and p.number = 0
    and not exists (select 1 from passages q where q.memory_id = memories.id and q.number > 0);
delete from passages where exists (select 1 from memories m where m.id = passages.memory_id and m.terms is not null);
update sqlite_stat1 set stat = '100000 4 1' where tbl = 'passages';
analyze sqlite_master;
