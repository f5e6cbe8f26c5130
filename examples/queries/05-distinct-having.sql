-- DISTINCT aggregates, HAVING, SELECT DISTINCT, UNION and UNION ALL.
CREATE TABLE visits (id int PRIMARY KEY, visitor text, page text NOT NULL, seconds int);
INSERT INTO visits VALUES (1, 'ann', '/', 5), (2, 'ann', '/', 7), (3, 'bob', '/', 5), (4, 'bob', '/docs', 90), (5, NULL, '/docs', NULL), (6, 'cid', '/blog', 30);

CREATE MATERIALIZED VIEW pages AS
  SELECT page, count(*) AS visits, count(DISTINCT visitor) AS visitors, sum(DISTINCT seconds) AS distinct_seconds, count(seconds) AS timed
  FROM visits GROUP BY page;
CREATE MATERIALIZED VIEW busy_pages AS
  SELECT page, count(*) AS visits FROM visits GROUP BY page HAVING count(DISTINCT visitor) > 1;
CREATE MATERIALIZED VIEW visitors AS SELECT DISTINCT visitor FROM visits WHERE visitor IS NOT NULL;
CREATE MATERIALIZED VIEW words AS
  SELECT visitor AS word FROM visits WHERE visitor IS NOT NULL UNION SELECT substr(page, 2) FROM visits;

SELECT * FROM pages ORDER BY page;
SELECT * FROM busy_pages ORDER BY page;
SELECT * FROM visitors ORDER BY visitor;
SELECT * FROM words ORDER BY word;
-- bob leaves: one page is not busy any more, and one visitor is gone.
DELETE FROM visits WHERE visitor = 'bob';
SELECT * FROM pages ORDER BY page;
SELECT * FROM busy_pages ORDER BY page;
SELECT * FROM visitors ORDER BY visitor;
