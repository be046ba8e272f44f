
insert into sqlite_stat1 (tbl, idx, stat) values
    ('archive_gone', 'archive_gone_item', '10000 1000 10 1'),
    ('archive_links', 'sqlite_autoindex_archive_links_1', '10000 1000 100 2 1'),
    ('experiences', 'experiences_settled', '1000000 2 1');
analyze sqlite_master;
