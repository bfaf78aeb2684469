-- The link of a message whose recipient has answered "yes" (its secret, sealed); empty: no answer.
ALTER TABLE attempts ADD COLUMN answer BLOB NOT NULL DEFAULT x'';
