-- Without statistics SQLite takes two equal columns for narrower than an indexed `in (...)` and reads all items of an
-- agent to find fifty. These are the shape of a grown home (a million items, a thousand agents), not measurements of this
-- one: https://sqlite.org/lang_analyze.html allows an application to write them.
analyze;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('memories', 'sqlite_autoindex_memories_1', '1000000 1'),
    ('memories', 'memories_key', '100000 10000 100 1 1'),
    ('memories', 'memories_fingerprint', '1000000 100000 1000 1'),
    ('memories', 'memories_change', '1000000 100000 1000 10'),
    ('memories', 'memories_shared', '100000 10000 10'),
    ('memories', 'memories_list', '1000000 100000 1000 900 2 1'),
    ('memories', 'memories_chain', '100000 1'),
    ('memories', 'memories_history', '100000 10000 100 50 2 1'),
    ('passages', 'sqlite_autoindex_passages_1', '1200000 1 1'),
    ('signals', 'sqlite_autoindex_signals_1', '500000 1 1'),
    ('echoes', 'sqlite_autoindex_echoes_1', '10000 2 2 2 1'),
    ('experiences', 'sqlite_autoindex_experiences_1', '1000000 1'),
    ('experiences', 'experiences_decision', '1000000 100000 1000 1'),
    ('experiences', 'experiences_task', '1000000 100000 1000 500 1 1'),
    ('decisions', 'sqlite_autoindex_decisions_1', '1000000 1'),
    ('decisions', 'decisions_agent', '1000000 100000 1000 1 1');
analyze sqlite_master;
