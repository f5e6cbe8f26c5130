package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

var (
	_ session.Server  = (*Engine)(nil)
	_ session.Session = (*Session)(nil)

	_ session.Identified = (*Session)(nil)
	_ session.Named      = (*Session)(nil)
)

// A Session is one client's conversation with the engine. See
// session.Session for the contract.
type Session struct {
	engine *Engine
	id     int32
	user   string
	since  time.Time
	vars   *vars
	format types.Format

	setting func(name string) (string, bool) // what expressions see of vars
	derived

	statements map[string]*statement
	portals    map[string]*portal
	tx         *transaction // nil outside of a transaction
	failed     bool         // the block has failed: only ROLLBACK helps
}

// sessionList knows the open sessions.
type sessionList struct {
	next atomic.Int32
	mu   struct {
		sync.Mutex
		open map[int32]*Session
	}
}

func (l *sessionList) init() { l.mu.open = map[int32]*Session{} }

// NewSession starts a session.
func (e *Engine) NewSession(_ context.Context, params map[string]string) (session.Session, error) {
	db := params["database"]
	if db == "" {
		db = params["user"]
	}
	if db != e.opts.Database {
		return nil, pgerr.Newf(pgerr.InvalidCatalogName, "database %q does not exist", db).
			WithHint("The database is called %q.", e.opts.Database)
	}
	s := &Session{engine: e, id: e.sessions.next.Add(1), user: params["user"], since: time.Now(), vars: newVars(),
		statements: map[string]*statement{}, portals: map[string]*portal{}}
	s.format.Names = s.Names()
	s.setting = func(name string) (string, bool) {
		v, err := s.vars.get(name)
		return v, err == nil
	}
	for name, value := range params {
		switch name {
		case "user", "database", "options", "replication":
			continue
		}
		if err := s.setVar(lowerASCII(name), value); err != nil {
			return nil, err
		}
	}
	s.vars.values, s.vars.defaults = map[string]string{}, s.vars.values
	s.vars.defaults["session_authorization"] = s.user
	s.derive()
	e.sessions.mu.Lock()
	e.sessions.mu.open[s.id] = s
	e.sessions.mu.Unlock()
	return s, nil
}

// ID is what pg_backend_pid() gives.
func (s *Session) ID() int32 { return s.id }

// Close frees everything.
func (s *Session) Close() {
	s.rollback()
	for name := range s.portals {
		s.ClosePortal(name)
	}
	l := &s.engine.sessions
	l.mu.Lock()
	delete(l.mu.open, s.id)
	l.mu.Unlock()
}

// TxStatus is what ReadyForQuery carries.
func (s *Session) TxStatus() byte {
	switch {
	case s.failed:
		return 'E'
	case s.tx != nil && s.tx.block:
		return 'T'
	}
	return 'I'
}

// Parameters are the settings reported to the client.
func (s *Session) Parameters() [][2]string {
	var out [][2]string
	for _, name := range reportOrder {
		out = append(out, [2]string{displayName(name), s.vars.must(name)})
	}
	return out
}

// setVar changes a setting and what the session derives from it.
func (s *Session) setVar(name, value string) error {
	if err := s.vars.set(name, value); err != nil {
		return err
	}
	s.derive()
	return nil
}

// derived is what a session keeps of its settings, ready for use.
type derived struct {
	path       []string
	minLSN     connectors.LSN
	memory     int
	timeout    time.Duration
	readOnly   bool // of new transactions
	syncCommit bool
}

// derive computes it. All values were checked when they were set.
func (s *Session) derive() {
	v := s.vars
	s.format.TimeZone = time.UTC
	if loc, err := loadZone(v.must("timezone")); err == nil {
		s.format.TimeZone = loc
	}
	d := derived{path: v.searchPath(s.user), readOnly: v.must("default_transaction_read_only") == "on",
		syncCommit: v.must("synchronous_commit") != "off"}
	if lsn := v.must("helios.min_lsn"); lsn != "" {
		d.minLSN, _ = connectors.ParseLSN(lsn)
	}
	d.timeout, _ = parseMillis(v.must("statement_timeout"))
	d.memory, _ = strconv.Atoi(v.must("helios.query_memory"))
	s.derived = d
}

// binder makes a binder for one statement.
func (s *Session) binder(cat *catalog.Snapshot, params []types.OID) *binder.Binder {
	return binder.New(cat, binder.Options{SearchPath: s.path, ParamTypes: params, ParseView: parseQuery, Format: &types.Format{Names: s.names(cat)}})
}

// viewBinder makes a binder for a query that is kept: it must not depend on
// what an OID means today.
func (s *Session) viewBinder(cat *catalog.Snapshot) *binder.Binder {
	return binder.New(cat, binder.Options{SearchPath: s.path, ParseView: parseQuery})
}

// parseQuery parses the text of one query.
func parseQuery(text string) (*ast.Select, error) {
	ps, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(ps) == 1 {
		if q, ok := ps[0].Stmt.(*ast.Query); ok {
			return q.Select, nil
		}
	}
	return nil, fmt.Errorf("%q is not one query", text)
}

// lookup finds a relation by its possibly qualified name.
func (s *Session) lookup(cat *catalog.Snapshot, name []string) *catalog.Relation {
	schema := ""
	if len(name) > 1 {
		schema = name[len(name)-2]
	}
	return cat.Lookup(schema, name[len(name)-1], s.path)
}

// waitLoaded gives the last published tick, after waiting until the relations
// have their contents, no large transaction is half in, and helios.min_lsn is reached.
func (s *Session) waitLoaded(ctx context.Context, deps []catalog.ID) (*readView, error) {
	e := s.engine
	min := s.minLSN
	return e.ticker.waitFor(ctx, func(v *readView) (bool, error) {
		if v.unfinished {
			return false, nil
		}
		if min > 0 {
			for _, src := range v.cat.Sources() {
				if !src.Dropping && v.lsn(src.ID) < min && !e.isFinished(src.ID) {
					return false, nil
				}
			}
		}
		for _, id := range deps {
			if ok, err := e.loaded(v.cat, id); !ok {
				return false, err
			}
		}
		return true, nil
	})
}

// loaded reports whether a relation and all it reads have their contents.
func (e *Engine) loaded(cat *catalog.Snapshot, id catalog.ID) (bool, error) {
	rel := cat.Relation(id)
	if rel == nil {
		return true, nil // the binder will say so
	}
	if rel.Source != 0 {
		src := cat.Source(rel.Source)
		if src == nil || src.Snapshotted {
			return true, nil
		}
		if r := e.sourceRunner(rel.Source); r != nil && r.stopped.Load() {
			r.mu.Lock()
			defer r.mu.Unlock()
			return false, fmt.Errorf("source %q stopped before its initial snapshot was in: %w", src.Name, r.mu.err)
		}
		return false, nil
	}
	for _, d := range rel.Deps {
		if ok, err := e.loaded(cat, d); !ok {
			return false, err
		}
	}
	return true, nil
}

// relationErrors gives the error of the first relation, among those named and
// all they read, that a definite error stopped.
func (e *Engine) relationErrors(cat *catalog.Snapshot, ids []catalog.ID) error {
	for _, id := range ids {
		rel := cat.Relation(id)
		if rel == nil {
			continue
		}
		if f := rel.Error; f != nil {
			err := pgerr.Newf(pgerr.Code(f.Code), "relation %q is stopped: %s", rel.Name, f.Message)
			err.Hint = f.Hint
			return err
		}
		if err := e.relationErrors(cat, rel.Deps); err != nil {
			return err
		}
	}
	return nil
}

// shift moves an error's position from a statement's text to its string's.
func shift(err error, offset int) error {
	var e *pgerr.Error
	if offset > 0 && errors.As(err, &e) && e.Position > 0 {
		c := *e
		c.Position += offset
		if c.Message = err.Error(); c.Cause == nil {
			c.Cause = err
		}
		return &c
	}
	return err
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
