package cdc

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

var largeValue = flag.Int("cdc.value", 20, "size in MB of TestLargeValue's values")

// A value of many megabytes arrives whole, in the snapshot and in the stream.
func TestLargeValue(t *testing.T) {
	if *largeValue <= 20 {
		t.Parallel()
	}
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text, n int); ALTER TABLE a ALTER v SET STORAGE EXTERNAL;
		CREATE FUNCTION fill(i int) RETURNS void LANGUAGE sql BEGIN ATOMIC
			INSERT INTO a SELECT i, repeat(string_agg(md5((i * s)::text), ''), `+fmt.Sprint(*largeValue)+`), 0 FROM generate_series(1, 32768) s; END; SELECT fill(1)`)
	r := startReader(t, eventsConfig(db, "a"), nil)
	check := func(typ EventType, id int) {
		t.Helper()
		e, err := r.next()
		if err != nil || e.Type != typ {
			t.Fatalf("%v, %v, want %v", e, err, typ)
		}
		sum := md5.Sum(e.After().Payload(1))
		want := server.MustQuery(t, db, fmt.Sprintf("SELECT md5(v) FROM a WHERE id = %d", id))
		if len(e.After().Payload(1)) != *largeValue<<20 || hex.EncodeToString(sum[:]) != want {
			t.Fatalf("%v: %d bytes with sum %x, want %s", typ, len(e.After().Payload(1)), sum, want)
		}
	}
	check(Read, 1)
	server.MustExec(t, db, "SELECT fill(2)")
	check(Create, 2)
	server.MustExec(t, db, "UPDATE a SET n = 1 WHERE id = 1; UPDATE a SET v = v || '' WHERE id = 1")
	r.expect("update a@1 after(id=1 v=unchanged n=1)")
	check(Update, 1)
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if m := regexp.MustCompile(`VmHWM:\s*(.*)`).FindSubmatch(status); m != nil {
			t.Logf("peak resident memory %s with values of %d MB", bytes.TrimSpace(m[1]), *largeValue)
		}
	}
}

// PostgreSQL's largest number of columns.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	var ddl strings.Builder
	for i := 1; i < 1600; i++ {
		fmt.Fprintf(&ddl, ", c%d int DEFAULT %d", i, i%10)
	}
	server.MustExec(t, db, "CREATE TABLE wide (id int PRIMARY KEY"+ddl.String()+"); INSERT INTO wide VALUES (1), (2)")
	c := start(t, server, db, testConfig(server, db, "wide"))
	c.same()
	c.exec("INSERT INTO wide VALUES (3); UPDATE wide SET c1599 = NULL WHERE id = 1; DELETE FROM wide WHERE id = 2")
	c.same()
	if n := len(c.tables[0].Columns); n != 1600 {
		t.Fatalf("%d columns", n)
	}
}

// What the events say of an unchanged TOASTed value, by replica identity.
func TestUnchangedByIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, identity, update, move, remove string
		toNothing                            EventType // what comes first once the identity is NOTHING
	}{
		{"default", "DEFAULT", "update a@1 after(id=1 k=a v=unchanged n=1)",
			"update a@1 before(id=1 k=? v=? n=?) after(id=2 k=a v=unchanged n=1)", "delete a@1 before(id=2 k=? v=? n=?)", SchemaChange},
		{"index", "USING INDEX a_k", "update a@1 after(id=1 k=a v=unchanged n=1)",
			"update a@1 after(id=2 k=a v=unchanged n=1)", "delete a@1 before(id=? k=a v=? n=?)", SchemaChange},
		{"full", "FULL", "update a@1 before(id=1 k=a v=LONG n=0) after(id=1 k=a v=LONG n=1)",
			"update a@1 before(id=1 k=a v=LONG n=1) after(id=2 k=a v=LONG n=1)", "delete a@1 before(id=2 k=a v=LONG n=1)", Create},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := server.CreateDatabase(t)
			server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, k text NOT NULL, v text, n int); CREATE UNIQUE INDEX a_k ON a (k);
				ALTER TABLE a ALTER v SET STORAGE EXTERNAL; ALTER TABLE a REPLICA IDENTITY `+c.identity+`; INSERT INTO a VALUES (1, 'a', repeat('long', 1000), 0)`)
			r := startReader(t, eventsConfig(db, "a"), nil)
			long := strings.Repeat("long", 1000)
			r.expect("read a@1 after(id=1 k=a v=" + long + " n=0)")
			server.MustExec(t, db, "UPDATE a SET n = 1; UPDATE a SET id = 2; DELETE FROM a")
			for _, want := range []string{c.update, c.move, c.remove} {
				r.expect(strings.ReplaceAll(want, "LONG", long))
			}
			// With NOTHING the server itself refuses what it could not send, and says so to the writer.
			server.MustExec(t, db, "INSERT INTO a VALUES (3, 'c', NULL, 0); ALTER TABLE a REPLICA IDENTITY NOTHING; INSERT INTO a VALUES (4, 'd', NULL, 0)")
			r.expect("create a@1 after(id=3 k=c v=NULL n=0)")
			if e, err := r.next(); err != nil || e.Type != c.toNothing {
				t.Fatalf("%v, %v", e, err)
			}
			err := server.Exec(t.Context(), db, "UPDATE a SET n = 2")
			if err == nil || !strings.Contains(err.Error(), "replica identity") {
				t.Fatalf("an update under NOTHING: %v", err)
			}
			cfg := eventsConfig(db, "a")
			cfg.SlotName, cfg.PublicationName = "other_"+db, r.cfg.SlotName
			if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != pgerr.ObjectNotInPrerequisite || !strings.Contains(err.Error(), "NOTHING") {
				t.Fatalf("a new source under NOTHING: %v", err)
			}
		})
	}
}
