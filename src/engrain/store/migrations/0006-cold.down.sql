-- What lies in the archive stays there, and is not seen from here any more.
drop index experiences_settled;
alter table runs drop column ends_by;
alter table roles drop column begun_at;
alter table leases drop column beaten_at;
drop table daemons;
drop table archive_links;
drop table archive_gone;
drop table archive_batches;
