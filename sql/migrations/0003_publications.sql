-- What was published where, and what is to be published after each commit.

-- A row a publication. Its snapshot is a digest without a foreign key: what
-- was published may be forgotten here and is there all the same. place: a URL
-- without login and query; remote: the name it went by. ended: when its files
-- were removed; NULL: they are there.
CREATE TABLE publication (
  id INTEGER NOT NULL PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  place TEXT NOT NULL,
  remote TEXT,
  snapshot BLOB NOT NULL,
  tree BLOB NOT NULL,
  formats TEXT NOT NULL,
  manifest TEXT NOT NULL,
  manifest_sha256 BLOB NOT NULL,
  who TEXT NOT NULL,
  time INTEGER NOT NULL,
  ended INTEGER
) STRICT;
CREATE INDEX publication_by_place ON publication(place, snapshot);
CREATE INDEX publication_by_snapshot ON publication(snapshot);

CREATE TABLE publication_file (
  publication_id INTEGER NOT NULL REFERENCES publication(id),
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (publication_id, position)
) STRICT, WITHOUT ROWID;

-- An alias that a publication moved. ended: when it was moved on or removed,
-- as far as this store knows; NULL: it points there.
CREATE TABLE publication_alias (
  publication_id INTEGER NOT NULL REFERENCES publication(id),
  alias TEXT NOT NULL,
  ended INTEGER,
  PRIMARY KEY (publication_id, alias)
) STRICT, WITHOUT ROWID;

-- Whenever `revision` means another snapshot than `published`, it is published
-- to the remote as `alias`: after each commit. formats as in publication.
CREATE TABLE publish_rule (
  remote TEXT NOT NULL,
  alias TEXT NOT NULL,
  revision TEXT NOT NULL,
  formats TEXT NOT NULL,
  time INTEGER NOT NULL,
  published BLOB,
  PRIMARY KEY (remote, alias)
) STRICT, WITHOUT ROWID;
