SELECT * FROM orders o JOIN users u ON o.user_id = u.id
SELECT o.id, u.name FROM orders o LEFT JOIN users u ON o.user_id = u.id
SELECT * FROM orders o RIGHT JOIN users u ON o.user_id = u.id
SELECT * FROM orders o FULL JOIN users u ON o.user_id = u.id
SELECT * FROM orders CROSS JOIN users
SELECT * FROM orders o JOIN users u USING (id)
SELECT id FROM orders o JOIN users u USING (id)
SELECT o.id, u.id, id FROM orders o LEFT JOIN users u USING (id)
SELECT id FROM orders o FULL JOIN users u USING (id)
SELECT id, o.id FROM orders o RIGHT JOIN users u USING (id)
SELECT * FROM orders NATURAL JOIN users
SELECT * FROM orders NATURAL LEFT JOIN users
SELECT * FROM orders NATURAL FULL JOIN users
SELECT * FROM orders o JOIN users u USING (nosuch)
SELECT * FROM orders o JOIN users u USING (region)
SELECT * FROM orders o JOIN users u USING (name)
SELECT * FROM orders o JOIN users u USING (id, id)
SELECT * FROM (orders o JOIN users u ON o.user_id = u.id) JOIN items i USING (id)
SELECT * FROM orders o JOIN users u ON o.user_id = u.id JOIN items i ON i.order_id = o.id
SELECT * FROM (orders o JOIN users u USING (id)) AS j
SELECT j.id, j.name FROM (orders o JOIN users u USING (id)) AS j
SELECT o.id FROM (orders o JOIN users u USING (id)) AS j
SELECT * FROM (orders o JOIN users u USING (id)) AS j(a, b)
SELECT * FROM small JOIN orders USING (id)
SELECT id FROM small JOIN orders USING (id)
SELECT id FROM small FULL JOIN orders USING (id)
SELECT id FROM small RIGHT JOIN orders USING (id)
SELECT * FROM small a JOIN docs b USING (id)
SELECT * FROM orders o JOIN users u ON o.user_id = u.id AND o.nosuch = 1
SELECT * FROM orders o JOIN users u ON o.user_id
SELECT * FROM orders o JOIN users u ON 'x'
SELECT * FROM orders o JOIN users u ON sum(o.id) = 1
SELECT * FROM orders o, users u JOIN items i ON i.order_id = o.id
SELECT * FROM orders o, users u LEFT JOIN items i ON i.order_id = u.id
SELECT * FROM orders o JOIN (users u JOIN items i ON i.order_id = o.id) ON true
SELECT * FROM orders JOIN orders ON true
SELECT * FROM orders a JOIN orders b ON a.id = b.id
SELECT id FROM orders a JOIN orders b ON a.id = b.id
SELECT a.id FROM orders a JOIN orders b USING (id, region)
SELECT region FROM orders a JOIN orders b USING (id, region) WHERE region = 'eu'
SELECT count(*) FROM orders a JOIN orders b USING (id) GROUP BY id
SELECT id, a.region FROM orders a FULL JOIN orders b USING (id) GROUP BY id
SELECT * FROM codes c JOIN odd o ON c.code = o.code
SELECT * FROM codes JOIN odd USING (code)
SELECT code FROM codes FULL JOIN odd USING (code)
SELECT * FROM users u LEFT JOIN (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id) c ON c.user_id = u.id WHERE n > 1
