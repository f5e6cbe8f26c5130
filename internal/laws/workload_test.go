package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// schema are the source's tables: keys of one and two columns, none at all,
// and one column of each of the types that reports use.
const schema = `
CREATE TABLE users (id int PRIMARY KEY, country text, name varchar(20), score float8, joined date, vip boolean);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, amount numeric, price numeric(12,2), status text, qty smallint,
	created_at timestamp, paid_at timestamptz, note text, ratio real, doc jsonb, took interval, ref uuid, code char(6), raw bytea, at time);
CREATE TABLE items (order_id bigint, n int, sku text, qty int NOT NULL, flag boolean, PRIMARY KEY (order_id, n));
CREATE TABLE log (a int, b text, c numeric);
ALTER TABLE log REPLICA IDENTITY FULL;
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
`

// views are queries over the schema. Each is kept as a view here and asked of
// PostgreSQL at the same point.
var views = []string{
	`SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest FROM orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country`,
	`SELECT * FROM users`,
	`SELECT id, amount, price, status, qty, created_at, paid_at, ratio, doc, took, ref, code, raw, at FROM orders`,
	`SELECT id, note FROM orders WHERE note IS NOT NULL`,
	`SELECT * FROM log`,
	`SELECT a, count(*) AS n, sum(c) AS s, min(b) AS lo, max(b) AS hi FROM log GROUP BY a`,
	`SELECT count(*) AS n, sum(amount) AS s, avg(amount) AS a, min(round(amount, 4)) AS lo, max(round(amount, 4)) AS hi, sum(qty) AS q, avg(qty) AS aq FROM orders`,
	`SELECT status, count(DISTINCT user_id) AS users, sum(DISTINCT qty) AS q, count(*) FILTER (WHERE amount > 50) AS big FROM orders GROUP BY status HAVING count(*) > 1`,
	`SELECT o.id, u.name, i.sku FROM orders o LEFT JOIN users u ON u.id = o.user_id LEFT JOIN items i ON i.order_id = o.id`,
	`SELECT o.id AS oid, i.order_id, i.n, i.qty FROM orders o FULL JOIN items i ON i.order_id = o.id AND i.flag`,
	`SELECT u.id, o.id AS oid FROM orders o RIGHT JOIN users u ON u.id = o.user_id AND o.qty > u.score`,
	`SELECT DISTINCT country, vip FROM users`,
	`SELECT id, 'user' AS kind FROM users UNION ALL SELECT user_id, status FROM orders`,
	`SELECT CASE WHEN amount > 100 THEN 'high' WHEN amount > 10 THEN 'mid' ELSE coalesce(status, 'none') END AS bucket, count(*) AS n, sum(price * qty) AS v FROM orders GROUP BY 1`,
	`SELECT date_trunc('day', created_at) AS day, count(*) AS n, bool_and(qty > 1) AS all_many, bool_or(paid_at IS NULL) AS unpaid FROM orders GROUP BY 1`,
	`SELECT a.id, b.id AS other FROM users a JOIN users b ON a.country = b.country AND a.id < b.id`,
	// Of 0 and 0.0 PostgreSQL's max is the one that its plan meets last: all totals have one scale here.
	`WITH big AS (SELECT user_id, round(sum(amount), 20) AS total FROM orders GROUP BY user_id) SELECT u.country, count(*) AS n, max(total) AS top FROM big JOIN users u ON u.id = big.user_id GROUP BY u.country`,
	`SELECT upper(name) AS name, length(name) AS len, substring(name from 2 for 3) AS mid, country || '-' || name AS full FROM users WHERE name LIKE '%a%' OR country IN ('de', 'fr')`,
	`SELECT min(joined) AS first, max(joined) AS last, min(score) AS lo, max(score) AS hi, count(score) AS n FROM users`,
	`SELECT s.status, s.n FROM (SELECT status, count(*) AS n FROM orders WHERE qty BETWEEN 1 AND 5 GROUP BY status) s WHERE s.n >= 2`,
	`SELECT doc->>'k' AS k, count(*) AS n FROM orders GROUP BY 1`,
	`SELECT nullif(status, 'new') AS st, greatest(qty, 3) AS g, abs(amount) AS a, round(amount, 1) AS r, id % 3 AS m FROM orders`,
	`SELECT code, min(ref::text) AS r, max(at) AS t, min(took) AS i FROM orders GROUP BY code`,
	`SELECT u.vip, count(i.sku) AS n, sum(i.qty) AS q FROM users u JOIN orders o ON o.user_id = u.id JOIN items i ON i.order_id = o.id GROUP BY u.vip`,
	`SELECT round(amount, 4) AS amount, count(*) AS n FROM orders GROUP BY 1`,
	`SELECT u.id, u.name FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL`,
	`SELECT id, amount / nullif(qty, 0) AS per, price * 1.19 AS gross, -amount AS neg, qty::numeric / 7 AS part, mod(id, 7) AS m, price::int AS whole FROM orders WHERE amount <> 'NaN'`,
	`SELECT id, created_at + took AS due, created_at::date AS day, extract(year FROM created_at) AS y, to_char(created_at, 'YYYY-MM-DD HH24:MI') AS txt FROM orders WHERE isfinite(created_at) AND created_at > '2000-01-01'`,
	`SELECT coalesce(l.a, i.n) AS k, count(*) AS n, count(l.b) AS lb, sum(i.qty) AS q FROM log l FULL JOIN items i ON l.a = i.n GROUP BY coalesce(l.a, i.n)`,
	`SELECT l.a, l.b, m.c FROM log l JOIN log m ON l.a = m.a AND l.b IS NOT DISTINCT FROM m.b`,
	`SELECT DISTINCT status, qty > 2 AS many, code FROM orders`,
	`SELECT count(DISTINCT country) AS c, count(DISTINCT joined) AS d, count(DISTINCT vip) AS v, bool_and(vip) AS allv FROM users`,
	`SELECT user_id, avg(amount) FILTER (WHERE status = 'paid') AS paid, avg(qty) AS q, min(status) AS lo, max(code) AS hi, min(paid_at) AS p, max(created_at::date) AS d FROM orders WHERE amount <> 'NaN' GROUP BY user_id`,
	`SELECT a.order_id, a.n, b.n AS next, c.status FROM items a JOIN items b ON b.order_id = a.order_id AND b.n > a.n LEFT JOIN orders c ON c.id = a.order_id AND c.qty = a.n`,
	`SELECT t.country, t.status, count(*) AS n FROM (SELECT u.country, o.status FROM users u LEFT JOIN orders o ON o.user_id = u.id UNION ALL SELECT country, 'x' FROM users WHERE vip) t GROUP BY t.country, t.status`,
	`SELECT o.status, u.n FROM (SELECT status, max(user_id) AS u FROM orders GROUP BY status) o LEFT JOIN (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id HAVING count(*) > 1) u ON u.user_id = o.u`,
	`SELECT count(*) AS n FROM orders o LEFT JOIN items i ON i.order_id = o.id AND i.qty > o.qty LEFT JOIN users u ON u.id = o.user_id AND u.vip WHERE i.order_id IS NULL OR u.id IS NULL`,
	`SELECT id, doc->'k' AS k, doc->>'n' AS n, doc = '[]' AS empty, jsonb_typeof(doc) AS t FROM orders WHERE doc IS NOT NULL`,
	`SELECT replace(note, 'a', 'bb') AS r, left(note, 3) AS l, lower(status) || '/' || coalesce(note, '?') AS j, position('o' in note) AS p FROM orders WHERE length(note) < 100`,
	`SELECT id, qty FROM orders WHERE qty IN (1, 3, 5) OR status NOT IN ('new', 'paid') OR (amount BETWEEN 5 AND 50 AND NOT qty = 2)`,
	`SELECT raw, count(*) AS n FROM orders GROUP BY raw`,
	`SELECT ref, count(*) AS n, sum(price) AS s, min(price) AS lo FROM orders GROUP BY ref`,
	`SELECT 100 / (qty - 3) AS x FROM orders WHERE qty IS NOT NULL`,
	`SELECT sum(qty) / count(id) AS x FROM orders`,
	`SELECT qty, count(*) AS n, sum(qty) / (qty - 2) AS x FROM orders GROUP BY qty`,
	`SELECT x.v, count(*) AS n FROM (SELECT n AS v FROM items UNION ALL SELECT a FROM log UNION ALL SELECT qty FROM orders) x GROUP BY x.v`,
	`SELECT u.id, i.n FROM users u FULL JOIN (SELECT order_id, count(*) AS n FROM items GROUP BY order_id) i ON i.order_id = u.id WHERE i.n IS DISTINCT FROM 2`,
	`SELECT max(id) AS id, min(name) AS name, max(country) AS c FROM users WHERE score > 0 AND score < 'Infinity'`,
}

// stacked are views over views, the first len(views) being v0, v1, …
var stacked = []string{
	`SELECT country, total FROM v0 WHERE orders > 1`,
	`SELECT v0.country, v0.orders, u.n FROM v0 JOIN (SELECT country, count(*) AS n FROM v11 GROUP BY country) u ON u.country = v0.country`,
	`SELECT count(*) AS n, sum(v5.n) AS s, max(v5.hi) AS hi FROM v5 LEFT JOIN v7 ON v7.users = v5.n`,
	`SELECT * FROM v9 WHERE oid IS NULL UNION ALL SELECT id, NULL, NULL, qty FROM v6 LEFT JOIN v39 ON true WHERE id < 5`,
}

// ordered are queries whose rows come in a given order.
var ordered = []string{
	`SELECT id, amount FROM orders ORDER BY round(amount, 4) DESC NULLS LAST, id LIMIT 7 OFFSET 2`,
	`SELECT country, count(*) AS n FROM users GROUP BY country ORDER BY n DESC, country LIMIT 3`,
	`SELECT * FROM users ORDER BY id DESC LIMIT 5`,
	`SELECT * FROM items ORDER BY order_id, n OFFSET 3`,
	`SELECT id, name FROM users WHERE id > 5 ORDER BY id LIMIT 4`,
	`SELECT order_id, n, qty FROM items WHERE order_id = 7 ORDER BY n DESC`,
	`SELECT DISTINCT status FROM orders ORDER BY status NULLS FIRST`,
	`SELECT name AS x FROM users ORDER BY x DESC, id`,
}

// lookups narrow a key in one way or another; %d are ids.
var lookups = []string{
	`SELECT * FROM users WHERE id = %d`,
	`SELECT id, status FROM orders WHERE id = %d AND qty > 1`,
	`SELECT * FROM items WHERE order_id = %d AND n = 1`,
	`SELECT * FROM items WHERE order_id = %d`,
	`SELECT id FROM orders WHERE id IN (%d, 3, 1004, NULL)`,
	`SELECT id FROM orders WHERE id BETWEEN %d AND 30`,
	`SELECT id FROM orders WHERE id >= %d AND id < 1001 AND status = 'new'`,
	`SELECT count(*), min(id), max(id) FROM orders WHERE id > %d`,
	`SELECT u.name, o.id FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = %d`,
	`SELECT o.id, i.n FROM orders o LEFT JOIN items i ON i.order_id = o.id WHERE o.id = %d`,
	`SELECT * FROM log WHERE a = %d`,
	`SELECT id FROM users WHERE id = %d.0`,
	`SELECT id FROM users WHERE id::text = '%d'`,
	`SELECT id FROM orders WHERE id = %d OR user_id = 4`,
}

// A workload makes random transactions from a seed.
type workload struct {
	rng  *rand.Rand
	conn *pgconn.PgConn
	keys int64 // ids are below
	log  []string
}

func newWorkload(seed uint64, conn *pgconn.PgConn) *workload {
	return &workload{rng: rand.New(rand.NewPCG(seed, 1)), conn: conn, keys: 40}
}

func (w *workload) pick(values ...string) string { return values[w.rng.IntN(len(values))] }

func (w *workload) id() int64 { return w.rng.Int64N(w.keys) }

// literal gives a value of a column, an edge value now and then.
func (w *workload) literal(typ string) string {
	if w.rng.IntN(8) == 0 {
		return "NULL"
	}
	edge := w.rng.IntN(6) == 0
	switch typ {
	case "country":
		return w.pick("'de'", "'fr'", "'at'", "''", "'Ünï'")
	case "name":
		return w.pick("'anna'", "'bo'", "'cara'", "'x y'", "'ä'", "'aaaa'")
	case "score":
		if edge {
			return w.pick("'NaN'", "'Infinity'", "'-Infinity'", "0", "1e300", "1e-300")
		}
		return fmt.Sprintf("%g", w.rng.NormFloat64()*10)
	case "date":
		if edge {
			return w.pick("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'9999-12-31'")
		}
		return fmt.Sprintf("'2024-%02d-%02d'", 1+w.rng.IntN(12), 1+w.rng.IntN(28))
	case "bool":
		return w.pick("true", "false")
	case "numeric":
		if edge {
			return w.pick("'NaN'", "1.0", "1.00", "1.000", "0", "-0.0", "99999999999999999999999.123456789", "1e-30")
		}
		return fmt.Sprintf("%d.%0*d", w.rng.IntN(400)-100, 1+w.rng.IntN(4), w.rng.IntN(10))
	case "price":
		return fmt.Sprintf("%d.%02d", w.rng.IntN(1000), w.rng.IntN(100))
	case "status":
		return w.pick("'new'", "'paid'", "'cancelled'", "'sent'")
	case "int2":
		if edge {
			return w.pick("32767", "-32768", "0")
		}
		return fmt.Sprint(w.rng.IntN(8))
	case "timestamp":
		if edge {
			return w.pick("'infinity'", "'-infinity'", "'0001-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'")
		}
		return fmt.Sprintf("'2024-%02d-%02d %02d:%02d:00.%06d'", 1+w.rng.IntN(2), 1+w.rng.IntN(5), w.rng.IntN(24), w.rng.IntN(60), w.rng.IntN(1000000))
	case "note":
		if edge {
			return fmt.Sprintf("repeat('%s', %d)", w.pick("a", "long ", "x"), 3000+w.rng.IntN(3000))
		}
		return w.pick("'short'", "''", "E'tab\\tline\\n'")
	case "real":
		return w.pick("0.1", "1.5", "-2.25", "1e10", "'NaN'")
	case "doc":
		return w.pick(`'{"k": "a", "n": 1}'`, `'{"k": "b"}'`, `'[]'`, `'{"n": 1.50, "k": null}'`)
	case "interval":
		return w.pick("'1 day'", "'25 hours'", "'1 mon 2 days 03:04:05.6'", "'-1 year'", "'0'")
	case "uuid":
		return fmt.Sprintf("'00000000-0000-4000-8000-%012x'", w.rng.IntN(5))
	case "code":
		return w.pick("'ab'", "'ab  '", "'abcdef'", "''")
	case "bytea":
		return w.pick(`'\x00ff'`, `''`, `'\xdeadbeef'`)
	case "time":
		return w.pick("'00:00'", "'23:59:59.999999'", "'24:00'", "'12:30'")
	case "user":
		return fmt.Sprint(w.id())
	}
	panic(typ)
}

var columns = map[string][][2]string{
	"users": {{"country", "country"}, {"name", "name"}, {"score", "score"}, {"joined", "date"}, {"vip", "bool"}},
	"orders": {{"user_id", "user"}, {"amount", "numeric"}, {"price", "price"}, {"status", "status"}, {"qty", "int2"}, {"created_at", "timestamp"},
		{"paid_at", "timestamp"}, {"note", "note"}, {"ratio", "real"}, {"doc", "doc"}, {"took", "interval"}, {"ref", "uuid"}, {"code", "code"}, {"raw", "bytea"}, {"at", "time"}},
}

// statement makes one random change.
func (w *workload) statement() string {
	table := w.pick("users", "orders", "orders", "orders", "items", "items", "log")
	switch table {
	case "items":
		switch w.rng.IntN(6) {
		case 0, 1, 2:
			return fmt.Sprintf("INSERT INTO items VALUES (%d, %d, %s, %d, %s) ON CONFLICT (order_id, n) DO UPDATE SET qty = items.qty + 1",
				w.id(), w.rng.IntN(3), w.pick("'s1'", "'s2'", "NULL"), w.rng.IntN(100), w.pick("true", "false", "NULL"))
		case 3:
			return fmt.Sprintf("DELETE FROM items WHERE order_id = %d", w.id())
		case 4:
			return fmt.Sprintf("UPDATE items SET n = n + 10 WHERE order_id = %d AND n < 10", w.id())
		default:
			return fmt.Sprintf("UPDATE items SET flag = NOT flag, qty = qty * 2 %% 1000 WHERE order_id < %d", w.id())
		}
	case "log":
		switch w.rng.IntN(5) {
		case 0, 1, 2:
			return fmt.Sprintf("INSERT INTO log SELECT %d, %s, %s FROM generate_series(1, %d)", w.rng.IntN(4), w.pick("'x'", "'y'", "NULL", "'z z'"), w.literal("numeric"), 1+w.rng.IntN(3))
		case 3:
			return fmt.Sprintf("DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE a = %d LIMIT 1)", w.rng.IntN(4))
		default:
			return fmt.Sprintf("UPDATE log SET b = %s WHERE a = %d", w.pick("'x'", "'q'", "NULL"), w.rng.IntN(4))
		}
	}
	cols := columns[table]
	switch w.rng.IntN(10) {
	case 0, 1, 2, 3:
		names, values := []string{"id"}, []string{fmt.Sprint(w.id())}
		for _, c := range cols {
			names, values = append(names, c[0]), append(values, w.literal(c[1]))
		}
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING", table, strings.Join(names, ", "), strings.Join(values, ", "))
	case 4, 5, 6:
		var set []string
		for range 1 + w.rng.IntN(3) {
			c := cols[w.rng.IntN(len(cols))]
			if !strings.Contains(strings.Join(set, ","), c[0]+" =") {
				set = append(set, c[0]+" = "+w.literal(c[1]))
			}
		}
		return fmt.Sprintf("UPDATE %s SET %s WHERE id %s %d", table, strings.Join(set, ", "), w.pick("=", "=", "=", "<"), w.id())
	case 7:
		return fmt.Sprintf("UPDATE %s SET id = id + 1000 WHERE id = %d AND NOT EXISTS (SELECT FROM %s WHERE id = %d)", table, w.id(), table, 0)
	case 8:
		return fmt.Sprintf("DELETE FROM %s WHERE id = %d", table, w.id())
	default:
		return fmt.Sprintf("DELETE FROM %s WHERE id >= 1000", table)
	}
}

// transaction runs one random transaction: one or more statements, with
// savepoints, rolled back now and then, rarely a truncation.
func (w *workload) transaction(ctx context.Context) error {
	n := 1 + w.rng.IntN(6)
	if w.rng.IntN(25) == 0 {
		n = 100
	}
	var sql []string
	sql = append(sql, "BEGIN")
	for i := range n {
		if w.rng.IntN(8) == 0 {
			sql = append(sql, fmt.Sprintf("SAVEPOINT s%d", i), w.statement(), w.statement(),
				w.pick(fmt.Sprintf("ROLLBACK TO s%d", i), fmt.Sprintf("RELEASE s%d", i)))
		}
		sql = append(sql, w.statement())
	}
	if w.rng.IntN(60) == 0 {
		sql = append(sql, "TRUNCATE "+w.pick("items", "log", "users, items", "orders"), w.statement())
	}
	sql = append(sql, w.pick("COMMIT", "COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"))
	for _, s := range sql {
		w.log = append(w.log, s)
		if _, err := w.conn.Exec(ctx, s).ReadAll(); err != nil {
			if code := sqlstate(err); code == "23505" || code == "40P01" {
				// A key update hit another row, or two transactions each other: it is void.
				w.log = append(w.log, "ROLLBACK")
				_, err = w.conn.Exec(ctx, "ROLLBACK").ReadAll()
				return err
			}
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
