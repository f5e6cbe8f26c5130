-- An error in one row of a view is data: reading the view reports it, other views go on, and mending the row mends the view.
CREATE TABLE loads (id int PRIMARY KEY, machine text NOT NULL, done int NOT NULL, capacity int NOT NULL);
INSERT INTO loads VALUES (1, 'lathe', 30, 40), (2, 'press', 5, 10);
CREATE MATERIALIZED VIEW utilisation AS SELECT machine, 100 * done / capacity AS percent FROM loads;
CREATE MATERIALIZED VIEW total_done AS SELECT sum(done) AS done FROM loads;
SELECT * FROM utilisation ORDER BY machine;

INSERT INTO loads VALUES (3, 'saw', 1, 0);
SELECT * FROM utilisation ORDER BY machine;
SELECT * FROM total_done;
SELECT name, state, last_error FROM helios.views WHERE name IN ('utilisation', 'total_done') ORDER BY name;

UPDATE loads SET capacity = 5 WHERE id = 3;
SELECT * FROM utilisation ORDER BY machine;

-- Mistakes are reported as PostgreSQL reports them; what is not supported is refused by name.
SELECT machin FROM loads;
CREATE MATERIALIZED VIEW ranked AS SELECT machine, rank() OVER (ORDER BY done) FROM loads;
INSERT INTO loads VALUES (1, 'again', 0, 1);
