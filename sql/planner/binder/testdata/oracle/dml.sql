INSERT INTO orders VALUES (1, 'eu', 5)
INSERT INTO orders VALUES (1, 'eu', 5, true, 1, now(), 8)
INSERT INTO orders (id, region) VALUES (1, 'eu'), (2, DEFAULT)
INSERT INTO orders (id, region) VALUES (1)
INSERT INTO orders (id, region) VALUES (1, 'x', 3)
INSERT INTO orders (id, nosuch) VALUES (1, 2)
INSERT INTO orders (id, id) VALUES (1, 2)
INSERT INTO orders (id, region) VALUES ('x', 'eu')
INSERT INTO orders (id, region) VALUES ('1', 5)
INSERT INTO orders (id, active) VALUES (1, 5)
INSERT INTO orders (id, active) VALUES (true, true)
INSERT INTO orders (id, amount) VALUES (1.5, 2.555)
INSERT INTO orders (id, created) VALUES (1, region)
INSERT INTO orders (id, created) VALUES (1, '2020-01-01'), (2, 5)
INSERT INTO orders (id, region) SELECT id, name FROM users
INSERT INTO orders (id, region) SELECT name, id FROM users
INSERT INTO orders (id, region) SELECT '5', 7
INSERT INTO orders (id, active) SELECT 5, 'maybe'
INSERT INTO orders (id, region) SELECT id FROM users
INSERT INTO orders (id) SELECT id, name FROM users
INSERT INTO orders SELECT * FROM orders WHERE id > 5
INSERT INTO orders DEFAULT VALUES
INSERT INTO nosuch VALUES (1)
INSERT INTO orders (id, region) VALUES (1, 'x') RETURNING *
INSERT INTO orders (id, region) VALUES (1, 'x') RETURNING id, amount * 2 AS twice, 'x'
INSERT INTO orders (id, region) VALUES (1, 'x') RETURNING nosuch
INSERT INTO orders AS o (id, region) VALUES (1, 'x') RETURNING o.id
INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT DO NOTHING
INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING
INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET region = excluded.region, amount = orders.amount + 1
INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET amount = amount + 1
INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET region = excluded.region WHERE orders.amount > 1 RETURNING id
~ INSERT INTO orders (id, region) VALUES (1, 'x') ON CONFLICT (nosuch) DO NOTHING
INSERT INTO chars VALUES ('abc', 'abcdef', 'x')
UPDATE orders SET amount = 5 WHERE id = 1
UPDATE orders SET amount = amount + 1, region = DEFAULT
UPDATE orders SET nosuch = 5
UPDATE orders SET amount = nosuch
UPDATE orders SET amount = 'x'
UPDATE orders SET amount = region
UPDATE orders SET active = 1
UPDATE orders SET id = amount
UPDATE orders SET amount = 1, amount = 2
UPDATE orders SET amount = 1 WHERE 5
UPDATE orders SET amount = sum(amount)
UPDATE orders SET amount = 1 WHERE sum(amount) > 1
UPDATE orders o SET amount = o.amount + 1 RETURNING o.*, amount
UPDATE orders o SET amount = u.id FROM users u WHERE u.id = o.user_id RETURNING o.id, u.name
UPDATE orders o SET amount = id FROM users u WHERE u.id = o.user_id
UPDATE orders SET amount = 1 FROM orders
! UPDATE orders SET orders.amount = 1
UPDATE nosuch SET a = 1
DELETE FROM orders
DELETE FROM orders WHERE id = 1
DELETE FROM orders WHERE id
DELETE FROM orders WHERE nosuch = 1
DELETE FROM orders o USING users u WHERE o.user_id = u.id RETURNING o.id, u.name
DELETE FROM orders RETURNING count(*)
DELETE FROM nosuch
