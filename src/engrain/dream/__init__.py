"""One offline cycle: what happened is ingested, trained on, evaluated; what is better is promoted; a report is left."""
