-- A report with CASE, COALESCE, NULLIF, LIKE, BETWEEN and text functions.
CREATE TABLE tickets (id int PRIMARY KEY, title text NOT NULL, owner text, priority int, hours numeric(6,1));
INSERT INTO tickets VALUES
  (1, 'Crash on start', 'ann', 1, 3.5), (2, 'crash when saving', NULL, 1, NULL), (3, 'Typo in help', 'bob', 4, 0),
  (4, 'New colour', 'ann', 3, 12.0), (5, 'Slow search', '', 2, 8.5);

CREATE MATERIALIZED VIEW ticket_report AS
  SELECT CASE WHEN priority = 1 THEN 'urgent' WHEN priority BETWEEN 2 AND 3 THEN 'normal' ELSE 'later' END AS class,
         coalesce(nullif(trim(owner), ''), 'nobody') AS owner,
         count(*) AS tickets,
         count(*) FILTER (WHERE lower(title) LIKE 'crash%') AS crashes,
         coalesce(sum(hours), 0) AS hours,
         round(sum(hours) / nullif(count(hours), 0), 2) AS hours_per_ticket
  FROM tickets GROUP BY 1, 2;

SELECT * FROM ticket_report ORDER BY class, owner;
UPDATE tickets SET owner = 'cid', hours = 2 WHERE id = 2;
SELECT * FROM ticket_report ORDER BY class, owner;
-- Ad-hoc queries over tables and views use the same expressions.
SELECT upper(left(title, 1)) || substr(title, 2) AS title, repeat('*', 5 - priority) AS stars FROM tickets WHERE title ~* '^crash' OR owner IN ('bob', 'cid') ORDER BY id;
