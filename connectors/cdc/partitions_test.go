package cdc

import (
	"fmt"
	"strings"
	"testing"
)

// Changes through a tree of partitions, and partitions that are made, attached
// empty, rewritten and split off empty while the source runs.
func TestPartitionTree(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE p (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
		CREATE TABLE eu PARTITION OF p FOR VALUES IN ('eu') PARTITION BY RANGE (id);
		CREATE TABLE eu1 PARTITION OF eu FOR VALUES FROM (0) TO (100); CREATE TABLE eu2 (v text, id int NOT NULL, region text NOT NULL, PRIMARY KEY (region, id));
		ALTER TABLE eu ATTACH PARTITION eu2 FOR VALUES FROM (100) TO (200); CREATE TABLE rest PARTITION OF p DEFAULT;
		INSERT INTO p SELECT (ARRAY['eu','us'])[1 + i % 2], i, 'x' FROM generate_series(1, 150) i`)
	c := start(t, server, db, testConfig(server, db, "p"))
	c.same()
	c.exec("UPDATE p SET id = 199 WHERE id = 2; UPDATE p SET region = 'us' WHERE id = 4; UPDATE eu2 SET v = 'by leaf'; DELETE FROM eu WHERE id = 6; INSERT INTO eu1 VALUES ('eu', 7, 'leaf')")
	c.same()
	c.exec(`CREATE TABLE asia PARTITION OF p FOR VALUES IN ('asia') PARTITION BY HASH (id); CREATE TABLE asia0 PARTITION OF asia FOR VALUES WITH (MODULUS 1, REMAINDER 0);
		INSERT INTO p VALUES ('asia', 1, 'a'), ('asia', 2, 'b'); UPDATE p SET region = 'eu' WHERE region = 'asia' AND id = 1`)
	c.exec(`CREATE TABLE late (LIKE p INCLUDING ALL); ALTER TABLE eu ATTACH PARTITION late FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES ('eu', 250, 'late')`)
	c.exec("VACUUM FULL eu1")
	c.exec("UPDATE eu1 SET v = 'rewritten' WHERE id < 50")
	c.same()
	c.exec("TRUNCATE p; INSERT INTO p VALUES ('eu', 1, 'after'), ('eu', 150, 'after'), ('us', 1, 'after')")
	c.same()
	if len(c.errs) > 0 || len(c.stale) > 0 {
		t.Fatal(c.errs, c.stale)
	}
}

// Rows that come or go with a partition are not sent: the sink is told that the
// table is stale. A partition that cannot be followed stops the table. Other tables go on.
func TestPartitionsComeAndGo(t *testing.T) {
	t.Parallel()
	const setup = `CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE other (id int PRIMARY KEY);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
		CREATE TABLE sole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE s1 PARTITION OF sole DEFAULT; INSERT INTO sole VALUES (1);
		INSERT INTO p VALUES (1, 'a'), (101, 'b')`
	const attach = "CREATE TABLE p3 (LIKE p INCLUDING ALL); INSERT INTO p3 VALUES (201, 'x'); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (200) TO (300)"
	for _, c := range []struct{ name, ddl, stale, stops string }{
		{"attached with rows", attach, "p3 was attached with rows", ""},
		{"made with rows in one transaction", "BEGIN; " + attach + "; COMMIT", "p3 was attached with rows", ""},
		{"detached", "ALTER TABLE p DETACH PARTITION p2", "detached or dropped", ""},
		{"detached concurrently", "ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY", "detached or dropped", ""},
		{"dropped", "DROP TABLE p2", "detached or dropped", ""},
		{"detached and attached", "BEGIN; ALTER TABLE p DETACH PARTITION p2; ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200); COMMIT", "detached and attached again", ""},
		{"truncated", "TRUNCATE p2", "p2 was truncated", ""},
		{"truncated by the table and by itself", "TRUNCATE p; INSERT INTO p VALUES (102, 'y');; TRUNCATE p2", "p2 was truncated", ""},
		{"the only one truncated", "TRUNCATE s1", "s1 was truncated", ""},
		{"unlogged", "CREATE UNLOGGED TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300)", "", "p3 is an unlogged table"},
	} {
		for _, while := range []string{"running", "stopped"} {
			t.Run(c.name+" while "+while, func(t *testing.T) {
				t.Parallel()
				db := server.CreateDatabase(t)
				server.MustExec(t, db, setup)
				cfg := testConfig(server, db, "p", "other", "sole")
				m := startPinned(t, db, cfg)
				m.exec("CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (400) TO (500); INSERT INTO p VALUES (401, 'z')")
				m.until("the partitions to be kept", func() bool { return len(m.config.TableSpecs[0].Leaves) == 3 })
				if while == "stopped" {
					m.stop()
					m.cfg = m.config
				}
				for sql := range strings.SplitSeq(c.ddl, ";;") {
					m.exec(sql)
				}
				if while == "stopped" {
					m.resume()
				}
				m.until("the table to be stale or to stop", func() bool {
					if c.stops != "" {
						return m.errs[0] != nil && strings.Contains(m.errs[0].Error(), c.stops)
					}
					return len(m.stale) == 1 && strings.Contains(fmt.Sprint(m.stale), c.stale)
				})
				m.exec("INSERT INTO other VALUES (1)")
				m.until("the other table", func() bool { return len(m.rows[1]) == 1 })
			})
		}
	}
}

// startPinned captures tables as a program does that keeps their configuration.
func startPinned(t *testing.T, db string, cfg Config) *capture {
	d, err := Validate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, server, db, d.Pinned(cfg))
	m.mu.Lock()
	m.config = m.cfg
	m.mu.Unlock()
	m.same()
	return m
}

// What is sent makes no table stale: truncations of all of it, also while the
// source is away, partitions that are made, rewritten or attached empty.
func TestPartitionsNotStale(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
		CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p VALUES (1, 'a'), (101, 'b')`)
	cfg := testConfig(server, db, "p")
	m := startPinned(t, db, cfg)
	kept := ""
	for _, ddl := range []string{
		"CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES (201, 'c')",
		"TRUNCATE p",
		"INSERT INTO p VALUES (1, 'a'), (101, 'b')",
		"VACUUM FULL p1",
		"CREATE TABLE p4 (LIKE p INCLUDING ALL); ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM (300) TO (400); INSERT INTO p4 VALUES (301, 'd')",
		"TRUNCATE p; INSERT INTO p VALUES (2, 'a'), (102, 'b')",
	} {
		for _, away := range []bool{false, true} {
			if away {
				m.stop()
				m.mu.Lock()
				m.cfg = m.config
				m.mu.Unlock()
				ddl = "TRUNCATE p; INSERT INTO p VALUES (3, 'away')"
			}
			m.exec(ddl)
			if away {
				m.resume()
			}
			m.same()
			if strings.HasPrefix(ddl, "INSERT") {
				continue
			}
			m.until("the partitions to be kept", func() bool { return fmt.Sprint(m.config.TableSpecs[0].Leaves) != kept })
			m.mu.Lock()
			kept = fmt.Sprint(m.config.TableSpecs[0].Leaves)
			m.mu.Unlock()
		}
	}
	if len(m.errs) > 0 || len(m.stale) > 0 {
		t.Fatal(m.errs, m.stale)
	}
}
