-- What was published where.

-- name: publication_find
-- ?1 uuid
SELECT id FROM publication WHERE uuid = ?1;

-- name: publication_known
-- ?1 place, ?2 snapshot, ?3 manifest's digest, ?4 alias: points there
SELECT 1 FROM publication AS p
  JOIN publication_alias AS a ON a.publication_id = p.id
WHERE p.place = ?1 AND p.snapshot = ?2 AND p.manifest_sha256 = ?3
  AND p.ended IS NULL AND a.alias = ?4 AND a.ended IS NULL;

-- name: publication_insert
-- ?1 uuid, ?2 place, ?3 remote, ?4 snapshot, ?5 tree, ?6 formats,
-- ?7 manifest, ?8 its digest, ?9 who, ?10 time
INSERT INTO publication(uuid, place, remote, snapshot, tree, formats, manifest,
  manifest_sha256, who, time)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- name: publication_file_insert
-- ?1 publication, ?2 position, ?3 path, ?4 format, ?5 size, ?6 digest
INSERT INTO publication_file(publication_id, position, path, format, size,
  sha256)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: publication_alias_insert
-- ?1 publication, ?2 alias
INSERT OR IGNORE INTO publication_alias(publication_id, alias)
VALUES (?1, ?2);

-- name: publication_alias_end
-- ?1 place, ?2 alias, ?3 when, ?4 the publication that moved it, or 0
UPDATE publication_alias SET ended = ?3
WHERE alias = ?2 AND ended IS NULL AND publication_id <> ?4
  AND publication_id IN (SELECT id FROM publication
    WHERE place = ?1 AND time <= ?3);

-- name: publication_end
-- ?1 place, ?2 snapshot, ?3 when
UPDATE publication SET ended = ?3
WHERE place = ?1 AND snapshot = ?2 AND ended IS NULL AND time <= ?3;

-- name: publication_list
-- ?1 place, or NULL for all
SELECT id FROM publication WHERE ?1 IS NULL OR place = ?1 ORDER BY time, id;

-- name: publication_get
-- ?1 publication
SELECT id, uuid, place, remote, lower(hex(snapshot)), lower(hex(tree)),
  formats, manifest, lower(hex(manifest_sha256)), who, time, ended
FROM publication WHERE id = ?1;

-- name: publication_files
-- ?1 publication
SELECT path, format, size, lower(hex(sha256)) FROM publication_file
WHERE publication_id = ?1 ORDER BY position;

-- name: publication_aliases
-- ?1 publication
SELECT alias, ended FROM publication_alias WHERE publication_id = ?1
ORDER BY alias;

-- name: publish_rule_put
-- ?1 remote, ?2 alias, ?3 revision, ?4 formats, ?5 time
INSERT INTO publish_rule(remote, alias, revision, formats, time)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT(remote, alias) DO UPDATE SET revision = excluded.revision,
  formats = excluded.formats, time = excluded.time, published = NULL;

-- name: publish_rule_done
-- ?1 remote, ?2 alias, ?3 snapshot's digest
UPDATE publish_rule SET published = ?3 WHERE remote = ?1 AND alias = ?2;

-- name: publish_rule_delete
-- ?1 remote, ?2 alias
DELETE FROM publish_rule WHERE remote = ?1 AND alias = ?2;

-- name: publish_rule_rename
-- ?1 a branch, ?2 its new name: BRANCH, BRANCH~N, BRANCH^, BRANCH@{N} and
-- BRANCH:latest. No name has a character of GLOB's in it. BRANCH@N is a run's
-- step, best:latest a metric.
UPDATE publish_rule SET revision = ?2 || substr(revision, length(?1) + 1)
WHERE revision = ?1 OR revision GLOB ?1 || '[~^]*'
  OR revision GLOB ?1 || '@{*'
  OR (?1 <> 'best' AND (revision = ?1 || ':latest'
    OR revision GLOB ?1 || ':latest[~^]*'));

-- name: publish_rule_list
SELECT remote, alias, revision, formats, lower(hex(published))
FROM publish_rule ORDER BY remote, alias;
