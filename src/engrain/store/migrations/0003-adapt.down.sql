drop table adapters;
drop table recall_answers;
drop table recall_questions;
