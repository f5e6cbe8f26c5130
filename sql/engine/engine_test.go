package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/helios-sql/helios-sql/sql/engine"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/state"
)

// A server is an engine over a directory, running.
type server struct {
	t      *testing.T
	dir    string
	store  *state.Store
	engine *engine.Engine
	stop   context.CancelFunc
	done   chan error
}

func start(t *testing.T, dir string) *server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := state.Open(state.Options{Dir: dir, MemoryBudget: 64 << 20, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Store: store, Logger: log, CheckpointInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{t: t, dir: dir, store: store, engine: e, stop: stop, done: make(chan error, 1)}
	go func() { s.done <- e.Run(ctx) }()
	return s
}

func (s *server) close() {
	s.t.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.done; err != nil {
		s.t.Error(err)
	}
	if err := s.engine.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *server) session() session.Session {
	s.t.Helper()
	ses, err := s.engine.NewSession(context.Background(), map[string]string{"user": "helios", "database": "helios"})
	if err != nil {
		s.t.Fatal(err)
	}
	return ses
}

// A printer writes results as psql -At does, with the notices and tags.
type printer struct {
	buf    bytes.Buffer
	format types.Format
	cols   []session.ResultColumn
	in     io.Reader
}

func (p *printer) Columns(cols []session.ResultColumn) error {
	p.cols = cols
	for i, c := range cols {
		if i > 0 {
			p.buf.WriteByte('|')
		}
		p.buf.WriteString(c.Name)
	}
	p.buf.WriteByte('\n')
	return nil
}

func (p *printer) Row(row types.Row) error {
	for i, sp := range row.Spans(len(p.cols), nil) {
		if i > 0 {
			p.buf.WriteByte('|')
		}
		if sp.Len < 0 {
			p.buf.WriteString("NULL")
			continue
		}
		p.buf.Write(p.format.AppendText(nil, p.cols[i].Type.OID, row[sp.Off:sp.Off+sp.Len]))
	}
	p.buf.WriteByte('\n')
	return nil
}

func (p *printer) Complete(tag string) error { fmt.Fprintf(&p.buf, "-- %s\n", tag); return nil }
func (p *printer) Empty() error              { fmt.Fprintln(&p.buf, "-- empty"); return nil }
func (p *printer) Parameter(name, value string) error {
	fmt.Fprintf(&p.buf, "-- %s=%s\n", name, value)
	return nil
}
func (p *printer) CopyOut(int, bool) error                      { return nil }
func (p *printer) CopyData(line []byte) error                   { p.buf.Write(line); return nil }
func (p *printer) Flush() error                                 { return nil }
func (p *printer) CopyIn(int, bool) (session.CopyReader, error) { return p.in, nil }
func (p *printer) Notice(n *pgerr.Error) error {
	fmt.Fprintf(&p.buf, "%s: %s\n", n.Severity, n.Message)
	return nil
}

// run executes a string and prints what comes back.
func run(ses session.Session, sql string, in io.Reader) string {
	p := &printer{in: in}
	if n, ok := ses.(session.Named); ok {
		p.format.Names = n.Names()
	}
	if err := ses.Query(context.Background(), sql, p); err != nil {
		f := pgerr.Flatten(err)
		fmt.Fprintf(&p.buf, "ERROR %s: %s", f.Code, f.Message)
		if f.Position > 0 {
			fmt.Fprintf(&p.buf, " at %d", f.Position)
		}
		p.buf.WriteByte('\n')
		if f.Detail != "" {
			fmt.Fprintf(&p.buf, "DETAIL: %s\n", f.Detail)
		}
		if f.Hint != "" {
			fmt.Fprintf(&p.buf, "HINT: %s\n", f.Hint)
		}
	}
	return p.buf.String()
}

// TestEngine runs the statements of testdata against an engine without
// sources. Commands: sql [session=name] [copy: data after a line "--"],
// restart.
func TestEngine(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := start(t, t.TempDir())
		defer func() { s.close() }()
		sessions := map[string]session.Session{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "sql":
				name := "a"
				d.MaybeScanArgs(t, "session", &name)
				if sessions[name] == nil {
					sessions[name] = s.session()
				}
				sql, data, _ := strings.Cut(d.Input, "\n--\n")
				return run(sessions[name], sql, strings.NewReader(data))
			case "restart":
				for _, ses := range sessions {
					ses.Close()
				}
				clear(sessions)
				s.close()
				s = start(t, s.dir)
				return ""
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
		for _, ses := range sessions {
			ses.Close()
		}
	})
}
