-- What the harness notes for itself, by a trigger, whatever the fleet says of what it did: each move of each lookup.
CREATE SCHEMA chaos;

CREATE TABLE chaos.moves (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lookup_id bigint NOT NULL,
    source text NOT NULL,
    priority smallint NOT NULL,
    subject_id uuid NOT NULL,
    before text,
    after text NOT NULL,
    claimed_by uuid
);
CREATE INDEX ON chaos.moves (lookup_id, n);

CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.moves (lookup_id, source, priority, subject_id, before, after, claimed_by)
    VALUES (NEW.id, NEW.source, NEW.priority, NEW.subject_id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END, NEW.state,
        NEW.claimed_by);
    RETURN NULL;
END $$;

CREATE TRIGGER noted_by_chaos AFTER INSERT OR UPDATE OF state ON lookups FOR EACH ROW EXECUTE FUNCTION chaos.note();
