SELECT $1
SELECT $1::int4
SELECT $1 + 1
SELECT 1 + $1, $1
SELECT $1 + $2
SELECT $1 || $2
SELECT id FROM orders WHERE id = $1
SELECT id FROM orders WHERE id = $1 AND region = $2 AND amount > $3
SELECT id FROM orders WHERE id = $1 AND region = $1
SELECT id FROM orders WHERE id = $2
SELECT id FROM orders WHERE id IN ($1, $2, 3)
SELECT id FROM orders WHERE region LIKE $1
SELECT id FROM orders WHERE created BETWEEN $1 AND $2
SELECT id FROM orders LIMIT $1 OFFSET $2
SELECT coalesce($1, 1), coalesce($2, region) FROM orders
SELECT CASE WHEN $1 THEN $2 ELSE 1.5 END
SELECT id FROM orders WHERE active = $1 OR $2
SELECT $1 IS NULL
SELECT $1::text IS NULL
SELECT lower($1), abs($2::int4)
SELECT abs($1)
SELECT $1 UNION ALL SELECT 1
SELECT * FROM (SELECT $1 AS x) s
SELECT $1, $1::int4
SELECT $1::int4, $1
SELECT $1::int4, $1::int8
SELECT id FROM orders WHERE $1 = id AND $2 < amount
SELECT id FROM orders GROUP BY id HAVING count(*) > $1
SELECT sum($1) FROM orders
SELECT $0
INSERT INTO orders (id, region, amount) VALUES ($1, $2, $3)
UPDATE orders SET amount = $1 WHERE id = $2 RETURNING amount
DELETE FROM orders WHERE id = $1
INSERT INTO orders (id, region) SELECT $1, $2
SELECT $1::numeric(10,2), $2::varchar(3)
SELECT id FROM orders ORDER BY $1
SELECT date_trunc($1, created) FROM orders
SELECT concat($1, 'x')
SELECT created + $1 FROM orders
SELECT created - $1 FROM orders
