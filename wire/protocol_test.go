package wire_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/wire"
)

// TestProtocol runs the dialogues of testdata.
//
//	connect [conn=name] [param=(name,value,…)] [version=n]  starts a session and prints the answer
//	send [conn=name] [until=types] [times=n]  sends messages (see message) and prints what comes back,
//	                                          up to a ReadyForQuery for each Query, FunctionCall and Sync
//	cancel [conn=name]                        sends a cancel request in 100 ms, while a send runs
//	raw                                       sends bytes on a new connection
//
// A directive "ours" says that PostgreSQL does otherwise.
func TestProtocol(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := start(t, wire.Options{})
		d := dialogue{t: t, network: "tcp", addr: s.addr, database: "helios", conns: map[string]*raw{}}
		datadriven.RunTest(t, path, d.run)
	})
}

// A dialogue is a test file that runs against a server.
type dialogue struct {
	t             *testing.T
	network, addr string
	database      string
	conns         map[string]*raw
}

func (d *dialogue) run(t *testing.T, td *datadriven.TestData) string {
	name := "a"
	td.MaybeScanArgs(t, "conn", &name)
	switch td.Cmd {
	case "connect":
		return d.connect(t, td, name)
	case "send":
		if d.conns[name] == nil {
			d.conns[name] = d.login(t)
		}
		return d.send(t, td, d.conns[name])
	case "raw":
		r := dial(t, d.network, d.addr)
		for _, line := range strings.Split(td.Input, "\n") {
			r.write(message(t, "raw "+line))
		}
		return r.until("EZ", 1) + r.until("quiet", 1)
	}
	td.Fatalf(t, "unknown command %q", td.Cmd)
	return ""
}

// login starts a session of the test's user.
func (d *dialogue) login(t *testing.T) *raw {
	r := dial(t, d.network, d.addr)
	r.startup(3<<16, "user", "postgres", "database", d.database)
	if out := r.until("ZE", 1); !strings.HasSuffix(out, "Z I\n") {
		t.Fatalf("login: %s", out)
	}
	return r
}

func (d *dialogue) connect(t *testing.T, td *datadriven.TestData, name string) string {
	version := 3 << 16
	td.MaybeScanArgs(t, "version", &version)
	r := dial(t, d.network, d.addr)
	params := []string{"user", "postgres", "database", d.database}
	if td.HasArg("bare") {
		params = nil
	}
	for _, line := range strings.Split(td.Input, "\n") {
		if k, v, ok := strings.Cut(line, "="); ok {
			params = append(params, k, v)
		}
	}
	r.startup(uint32(version), params...)
	d.conns[name] = r
	// Which settings are reported, and in which order, is the session's to say.
	var keep []string
	for _, line := range strings.Split(strings.TrimSuffix(r.until("ZE", 1), "\n"), "\n") {
		if n, _, ok := strings.Cut(strings.TrimPrefix(line, "S "), "="); !strings.HasPrefix(line, "S ") || ok && bytes.Contains([]byte(td.Input), []byte(n)) {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n") + "\n"
}

func (d *dialogue) send(t *testing.T, td *datadriven.TestData, r *raw) string {
	var out []byte
	stop, times := "Z", 0
	for _, line := range strings.Split(td.Input, "\n") {
		if line == "" {
			continue
		}
		b := message(t, line)
		if b[0] == 'Q' || b[0] == 'S' || b[0] == 'F' {
			times++
		}
		out = append(out, b...)
	}
	td.MaybeScanArgs(t, "until", &stop)
	td.MaybeScanArgs(t, "times", &times)
	canceled := make(chan struct{})
	if !td.HasArg("cancel") {
		close(canceled)
	} else {
		go func() {
			defer close(canceled)
			time.Sleep(150 * time.Millisecond)
			secret := r.secret
			if td.HasArg("wrong") {
				secret++
			}
			nc, err := net.Dial(d.network, d.addr)
			if err == nil {
				_, err = nc.Write(bytes.Join([][]byte{u32(16), u32(1234<<16 | 5678), u32(int(r.pid)), u32(int(secret))}, nil))
				nc.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}()
	}
	defer func() { <-canceled }()
	r.write(out)
	return r.until(stop, max(times, 1))
}

// TestProtocolPostgres runs the same dialogues against PostgreSQL: but for
// those marked ours, it answers the same.
func TestProtocolPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	pg := pgtest.Start(t)
	cfg, err := pgx.ParseConfig(pg.TCP(""))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d := dialogue{t: t, network: "tcp", addr: net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)), database: pg.CreateDatabase(t), conns: map[string]*raw{}}
			copied := filepath.Join(t.TempDir(), "dialogue")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied, data, 0o600); err != nil {
				t.Fatal(err)
			}
			datadriven.RunTest(t, copied, func(t *testing.T, td *datadriven.TestData) string {
				if td.HasArg("ours") {
					return td.Expected
				}
				got, want := comparable(d.run(t, td)), comparable(td.Expected)
				if got != want {
					t.Errorf("%s: PostgreSQL answers otherwise to\n%s\nPostgreSQL:\n%s\nours:\n%s", strings.Replace(td.Pos, copied, file, 1), td.Input, got, want)
				}
				return td.Expected
			})
		})
	}
}

var versionOf = regexp.MustCompile(`server_version=(\d+)[^\n]*`)

// comparable leaves out what may differ.
func comparable(s string) string {
	return versionOf.ReplaceAllString(s, "server_version="+strconv.Itoa(15))
}
