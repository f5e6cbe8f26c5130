package cdc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A change of a captured column stops its table with an error that names it;
// other tables, and changes of other columns, go on.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ddl string
		code      pgerr.Code // "": goes on
		text      string
	}{
		{"add column", "ALTER TABLE a ADD extra int DEFAULT 7", "", ""},
		{"add and drop", "ALTER TABLE a ADD extra int; INSERT INTO a VALUES (98, 'x', 1, 2); ALTER TABLE a DROP extra", "", ""},
		{"rename table", "ALTER TABLE a RENAME TO a2; ALTER TABLE a2 RENAME TO a", "", ""},
		{"drop column that is not captured", "ALTER TABLE a DROP spare", "", ""},
		{"drop column", "ALTER TABLE a DROP v", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped or renamed`},
		{"rename column", "ALTER TABLE a RENAME v TO w", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped or renamed`},
		{"drop and add again", "ALTER TABLE a DROP v; ALTER TABLE a ADD v text", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped and added again`},
		{"drop and add the last again", "ALTER TABLE a DROP spare; INSERT INTO a VALUES (97, 'x'); ALTER TABLE a DROP v; ALTER TABLE a ADD v text", pgerr.UndefinedColumn, `column "v" of table "public"."a" was dropped and added again`},
		{"change type", "ALTER TABLE a ALTER v TYPE varchar(100)", pgerr.DatatypeMismatch, `type of column "v"`},
		{"drop not null and use it", "ALTER TABLE a ALTER v DROP NOT NULL; UPDATE a SET v = NULL WHERE id = 1", pgerr.NotNullViolation, `null value in column "v"`},
		{"identity full", "ALTER TABLE a REPLICA IDENTITY FULL", "", ""},
		{"identity nothing", "ALTER TABLE a REPLICA IDENTITY NOTHING", "", ""},
		{"other key", "ALTER TABLE a DROP CONSTRAINT a_pkey; ALTER TABLE a ADD PRIMARY KEY (v)", pgerr.ObjectNotInPrerequisite, "replica identity"},
		{"table f to default", "ALTER TABLE f ADD PRIMARY KEY (id); ALTER TABLE f REPLICA IDENTITY DEFAULT", pgerr.ObjectNotInPrerequisite, `replica identity of table "public"."f"`},
		{"drop table", "DROP TABLE a", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := server.CreateDatabase(t)
			server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text NOT NULL, spare int); INSERT INTO a VALUES (1, 'one'), (2, 'two');
				CREATE TABLE f (id int, v text); ALTER TABLE f REPLICA IDENTITY FULL; CREATE TABLE other (id int PRIMARY KEY)`)
			cfg := testConfig(server, db, "a", "f", "other")
			cfg.TableSpecs[0].Columns = []string{"id", "v"}
			d, err := Validate(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			// As the engine stores it.
			b, err := json.Marshal(d.Pinned(cfg))
			if err != nil {
				t.Fatal(err)
			}
			cfg = Config{}
			if err := json.Unmarshal(b, &cfg); err != nil {
				t.Fatal(err)
			}
			c2 := start(t, server, db, cfg)
			c2.same()
			c2.exec(c.ddl)
			switch c.name {
			case "drop table":
			case "identity nothing":
				c2.exec("INSERT INTO a (id, v) VALUES (99, 'y')")
			default:
				c2.exec("UPDATE a SET id = 50 WHERE id = 1; INSERT INTO f VALUES (1, 'z'); UPDATE f SET v = 'y'")
			}
			c2.exec("INSERT INTO other VALUES (1)")
			c2.same()
			check := func(when string) {
				t.Helper()
				var got error
				for _, err := range c2.errs {
					got = err
				}
				if c.code == "" && got != nil || c.code != "" && (got == nil || pgerr.CodeOf(got) != c.code || !strings.Contains(got.Error(), c.text)) {
					t.Fatalf("%s: table errors %v", when, c2.errs)
				}
			}
			if c.name == "drop table" {
				if len(c2.errs) != 0 {
					t.Fatal(c2.errs)
				}
				c.code, c.text = pgerr.UndefinedTable, "does not exist"
			} else {
				check("streaming")
			}
			if c.name == "identity nothing" {
				c.code, c.text = pgerr.ObjectNotInPrerequisite, "NOTHING"
			}
			if c.name == "drop not null and use it" {
				return // only a NULL tells
			}
			c2.mu.Lock()
			c2.errs = nil
			c2.mu.Unlock()
			c2.resume()
			c2.exec("INSERT INTO other VALUES (2)")
			c2.same()
			check("after a restart")
		})
	}
}

// TRUNCATE of several tables, with what CASCADE draws in, of serial columns,
// and within transactions.
func TestTruncate(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id serial PRIMARY KEY, v text); CREATE TABLE b (id serial PRIMARY KEY, a int REFERENCES a);
		CREATE TABLE f (v int); ALTER TABLE f REPLICA IDENTITY FULL; CREATE TABLE away (id int PRIMARY KEY, a int REFERENCES a);
		CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p DEFAULT`)
	fill := "INSERT INTO a (v) SELECT 'x' FROM generate_series(1, 20); INSERT INTO b (a) SELECT id FROM a; INSERT INTO f VALUES (1), (1), (2); INSERT INTO p SELECT generate_series(1, 20);"
	server.MustExec(t, db, fill)
	c := start(t, server, db, testConfig(server, db, "a", "b", "f", "p"))
	c.same()
	for _, sql := range []string{
		"TRUNCATE f, p", fill, "TRUNCATE a CASCADE", "TRUNCATE p", fill, "TRUNCATE b, f, p", fill,
		"BEGIN; TRUNCATE a, b, away RESTART IDENTITY; TRUNCATE p RESTART IDENTITY; " + fill + " DELETE FROM b WHERE id > 10; UPDATE a SET v = 'y' WHERE id < 5; COMMIT",
		"BEGIN; INSERT INTO f VALUES (7); UPDATE f SET v = 8; TRUNCATE f; INSERT INTO f VALUES (9); TRUNCATE f, b; INSERT INTO f VALUES (10); COMMIT",
		"BEGIN; TRUNCATE a, b, f, p, away; ROLLBACK",
		"BEGIN; SAVEPOINT s; TRUNCATE f; ROLLBACK TO s; INSERT INTO f VALUES (11); COMMIT",
		"TRUNCATE a, b, f, p, away",
	} {
		c.exec(sql)
		c.same()
	}
	if len(c.errs) > 0 {
		t.Fatal(c.errs)
	}
}

// A table with children by inheritance is captured without them, and says so.
func TestInheritance(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id), extra text) INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)`)
	def, err := Connector{}.Create(t.Context(), connectors.Spec{Name: "i_" + db, Connection: server.DSN(db), Tables: []connectors.TableSpec{{Schema: "public", Name: "parent"}, {Schema: "public", Name: "child"}}})
	if err != nil || len(def.Notices) != 1 || !strings.Contains(def.Notices[0], `"public"."parent"`) {
		t.Fatalf("%+v, %v", def, err)
	}
	c := start(t, server, db, testConfig(server, db, "parent", "child"))
	c.same()
	c.exec("INSERT INTO parent VALUES (3); INSERT INTO child VALUES (4, 'x'); UPDATE parent SET id = id + 10; DELETE FROM parent WHERE id = 12; TRUNCATE ONLY parent; INSERT INTO parent VALUES (5)")
	c.same()
	c.exec("TRUNCATE parent; INSERT INTO child VALUES (6, 'y')")
	c.same()
	if got := strings.Join(c.text(0), " ") + strings.Join(c.text(1), " "); got != "6|y|" {
		t.Fatal(got)
	}
}

// Generated columns are left out, unless a publication of PostgreSQL 18 has the
// stored ones; virtual ones are never sent.
func TestGeneratedColumns(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	ddl, with, columns := "CREATE TABLE g (id int PRIMARY KEY, s int GENERATED ALWAYS AS (id * 2) STORED, v int", "", 2
	if server.Major() >= 18 {
		ddl += ", w int GENERATED ALWAYS AS (id * 3) VIRTUAL"
		with, columns = " WITH (publish_generated_columns = stored)", 3
	}
	server.MustExec(t, db, ddl+"); INSERT INTO g (id, v) VALUES (1, 1); CREATE PUBLICATION own FOR TABLE g"+with)
	for _, publication := range []string{"own", "made"} {
		cfg := testConfig(server, db, "g")
		cfg.SlotName, cfg.PublicationName = publication+"_"+db, publication
		c := start(t, server, db, cfg)
		c.same()
		c.exec("INSERT INTO g (id, v) SELECT max(id) + 1, 7 FROM g; UPDATE g SET v = v + 1; UPDATE g SET id = id + 100 WHERE id = 1")
		c.same()
		if publication == "made" {
			columns = 2
		}
		if n := len(c.tables[0].Columns); n != columns || len(c.errs) > 0 {
			t.Fatalf("%s: %d columns, %v", publication, n, c.errs)
		}
		r := startReader(t, Config{ConnectionString: cfg.ConnectionString, Tables: []string{"g"}, SlotName: "ev_" + cfg.SlotName, PublicationName: publication}, nil)
		for range 2 {
			if e, err := r.next(); err != nil || e.Type != Read || e.After().Len() != columns {
				t.Fatalf("%v, %v", e, err)
			}
		}
		c.exec("UPDATE g SET v = 0 WHERE id = (SELECT min(id) FROM g)")
		if e, err := r.next(); err != nil || e.Type != Update || e.After().Len() != columns {
			t.Fatalf("%v, %v", e, err)
		}
		c.exec("DELETE FROM g WHERE id = (SELECT max(id) FROM g)")
	}
}

func TestPublicationFilter(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text, hidden text); INSERT INTO a SELECT i, 'x', 'secret' FROM generate_series(1, 100) i;
		CREATE TABLE b (id int PRIMARY KEY)`)
	cfg, rows, publication := testConfig(server, db, "a"), 51, "a (id, v) WHERE (id > 50), b"
	if server.Major() < 15 { // the columns are chosen here, and all rows are sent
		cfg.TableSpecs[0].Columns, rows, publication = []string{"id", "v"}, 102, "a, b"
	}
	server.MustExec(t, db, "CREATE PUBLICATION own FOR TABLE "+publication)
	cfg.PublicationName = "own"
	c := start(t, server, db, cfg)
	c.sync()
	c.exec("INSERT INTO a VALUES (0, 'below', ''), (101, 'above', ''); INSERT INTO b VALUES (1)")
	c.sync()
	if got := c.text(0); len(got) != rows || len(c.tables[0].Columns) != 2 {
		t.Fatalf("%d rows of %v", len(got), c.tables[0].Columns)
	}
}
