package engine

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A statement is one parsed and, where it has names, bound statement: what
// Parse prepares.
type statement struct {
	parsed ast.Parsed
	given  []types.OID // parameter types as the client gave them
	params []types.OID
	cols   []session.ResultColumn // nil: returns no rows
	told   []session.ResultColumn // cols as they were when it was prepared

	// Bound against cat, again when the catalog has changed.
	cat   *catalog.Snapshot
	path  string // search_path it was bound with
	query *binder.Query
	plan  *physical.Plan
	dml   *binder.DML
	// ready is what the plan was made into, to run it again and again; nil while
	// it runs: a suspended portal of the statement may be in the middle of it.
	ready *circuit.Query
	once  bool // the plan cannot be run again
}

// take gives the query that the statement's plan is made into; nil if the plan
// has to be run as it is.
func (st *statement) take() (*circuit.Query, error) {
	q := st.ready
	if st.ready = nil; q != nil || st.once {
		return q, nil
	}
	var err error
	if o := st.plan.Order; o == nil || !scalar.HasParam(o.Limit) && !scalar.HasParam(o.Offset) {
		q, err = circuit.Prepare(st.plan.Root)
	}
	st.once = q == nil
	return q, err
}

// put gives it back, to be used as long as the statement has the same plan.
func (st *statement) put(q *circuit.Query, plan *physical.Plan) {
	if st.plan == plan {
		st.ready = q
	}
}

// A portal is a statement with its arguments, and where it stands in its
// result.
type portal struct {
	st     *statement
	args   []types.Datum
	cols   []session.ResultColumn          // as the client was told
	next   func() (types.Row, error, bool) // of a query that has begun
	stop   func()
	cancel context.CancelCauseFunc // the query's, which outlives an Execute
	view   *readView               // kept for the time it is open
	rows   int                     // sent in all
	ended  bool
	cursor bool // DECLAREd
}

// A result is the writer of one statement's results. Rows are described only
// in the simple protocol.
type result struct {
	session.ResultWriter
	describe bool
	cols     []session.ResultColumn // what the client was told, in the extended protocol
}

func (r *result) notice(n *pgerr.Error) error {
	if r == nil {
		return nil
	}
	return r.Notice(n)
}

func (r *result) warn(code pgerr.Code, format string, args ...any) error {
	n := pgerr.Newf(code, format, args...)
	n.Severity = "WARNING"
	return r.notice(n)
}

// columns describes the rows to come.
func (r *result) columns(cols []session.ResultColumn) error {
	if !r.describe {
		return sameColumns(r.cols, cols)
	}
	return r.Columns(cols)
}

// sameColumns refuses rows that are not what the client was told to expect: a
// table has changed since the statement was prepared.
func sameColumns(told, cols []session.ResultColumn) error {
	if !slices.EqualFunc(told, cols, func(a, b session.ResultColumn) bool { return a.Name == b.Name && a.Type == b.Type }) {
		return pgerr.Newf(pgerr.FeatureNotSupported, "cached plan must not change result type")
	}
	return nil
}

// Query runs a simple-protocol string.
func (s *Session) Query(ctx context.Context, sql string, w session.ResultWriter) (err error) {
	defer s.recovered(s.note, &err)
	out := &result{ResultWriter: w, describe: true}
	parsed, err := parser.Parse(sql)
	if err != nil {
		return s.note(err)
	}
	if len(parsed) == 0 {
		return w.Empty()
	}
	for _, p := range parsed {
		tag := ""
		st, err := s.analyze(p, nil)
		if err == nil {
			tag, err = s.execute(ctx, st, nil, out)
		}
		if err == nil && len(parsed) == 1 {
			err = s.commitImplicit(ctx)
		}
		if err != nil {
			return s.note(shift(err, p.Offset))
		}
		if err := w.Complete(tag); err != nil {
			return err
		}
	}
	return s.note(s.commitImplicit(ctx))
}

// commitImplicit commits unless in a block.
func (s *Session) commitImplicit(ctx context.Context) error {
	if s.tx == nil || s.tx.block {
		return nil
	}
	return s.commit(ctx)
}

// note leaves the transaction after an error: a block has failed, an implicit
// transaction is undone.
func (s *Session) note(err error) error {
	if err == nil {
		return nil
	}
	s.engine.metrics.Errors.Add(1)
	if s.tx != nil && s.tx.block {
		s.failed = true
	} else {
		s.rollback()
	}
	return err
}

// analyze binds a statement. In a failed block it binds nothing: only the end
// of the block is going to be run.
func (s *Session) analyze(p ast.Parsed, given []types.OID) (*statement, error) {
	st := &statement{parsed: p, given: given}
	if s.failed {
		return st, nil
	}
	err := s.bind(st, s.catalog())
	st.told = st.cols
	return st, err
}

// catalog gives the catalog of the transaction's tick, or the latest.
func (s *Session) catalog() *catalog.Snapshot {
	if s.tx != nil && s.tx.view != nil {
		return s.tx.view.cat
	}
	return s.engine.Catalog()
}

// bind resolves a statement's names against a catalog.
func (s *Session) bind(st *statement, cat *catalog.Snapshot) error {
	path := s.vars.must("search_path")
	if st.cat == cat && st.path == path {
		return nil
	}
	b := s.binder(cat, st.given)
	st.ready, st.once = nil, false
	var err error
	switch n := st.parsed.Stmt.(type) {
	case *ast.Query:
		err = s.bindQuery(st, b, n.Select)
	case *ast.Insert:
		st.dml, err = b.BindInsert(n)
	case *ast.Update:
		st.dml, err = b.BindUpdate(n)
	case *ast.Delete:
		st.dml, err = b.BindDelete(n)
	default:
		st.cols, err = s.utilityColumns(st)
	}
	if err != nil {
		return err
	}
	if st.dml != nil {
		st.params = st.dml.Params
		if st.plan, err = planRows(st.dml.Source); err != nil {
			return err
		}
		st.cols = nil
		for _, c := range st.dml.ReturningCols {
			st.cols = append(st.cols, session.ResultColumn{Name: c.Name, Type: c.Type})
		}
	}
	st.cat, st.path = cat, path
	return nil
}

func (s *Session) bindQuery(st *statement, b *binder.Binder, q *ast.Select) error {
	query, err := b.BindQuery(q)
	if err != nil {
		return err
	}
	if st.plan, err = planQuery(query); err != nil {
		return err
	}
	st.query, st.params = query, query.Params
	st.cols = make([]session.ResultColumn, len(query.Cols))
	for i, c := range query.Cols {
		st.cols[i] = session.ResultColumn{Name: c.Name, Type: c.Type, TableOID: uint32(query.Origins[i].Relation), Attr: query.Origins[i].Attr}
	}
	return nil
}

// deps are the relations that a statement reads.
func (st *statement) deps() []catalog.ID {
	switch {
	case st.query != nil:
		return st.query.Deps
	case st.dml != nil:
		return st.dml.Deps
	}
	return nil
}

// execute runs a statement to its end and gives its command tag.
func (s *Session) execute(ctx context.Context, st *statement, args []types.Datum, out *result) (string, error) {
	s.engine.metrics.Statements.Add(1)
	if n, ok := st.parsed.Stmt.(*ast.Transaction); ok && (!s.failed || n.Kind == "commit" || n.Kind == "rollback" || n.Kind == "rollback to") {
		return s.transactionStatement(ctx, n, out)
	}
	if s.failed {
		return "", errAborted()
	}
	ctx, cancel := s.withTimeout(ctx)
	defer cancel()
	if st.query == nil && st.dml == nil {
		return s.utility(ctx, st, args, out)
	}
	tx := s.begin(false)
	if err := s.prepareRead(ctx, tx, st); err != nil {
		return "", err
	}
	if st.dml != nil {
		return s.executeDML(ctx, tx, st, args, out)
	}
	if err := out.columns(st.cols); err != nil {
		return "", err
	}
	n := 0
	err := s.rows(ctx, tx, st, args, func(row types.Row) error {
		n++
		return out.Row(row)
	})
	if err != nil {
		return "", err
	}
	return "SELECT " + strconv.Itoa(n), nil
}

// withTimeout ends a statement's context at its timeout.
func (s *Session) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.timeout, pgerr.Newf(pgerr.QueryCanceled, "canceling statement due to statement timeout"))
}

// prepareRead gets the transaction its tick and binds the statement against
// that tick's catalog.
func (s *Session) prepareRead(ctx context.Context, tx *transaction, st *statement) error {
	v, err := s.read(ctx, tx, st.deps())
	if err != nil {
		return err
	}
	if err := s.bind(st, v.cat); err != nil {
		return err
	}
	return s.engine.relationErrors(v.cat, st.deps())
}

// Parse prepares a statement.
func (s *Session) Parse(_ context.Context, name, sql string, given []types.OID) (err error) {
	defer s.recovered(s.noteExtended, &err)
	return s.noteExtended(s.parse(name, sql, given))
}

func (s *Session) parse(name, sql string, given []types.OID) error {
	if name != "" && s.statements[name] != nil {
		return pgerr.Newf(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", name)
	}
	parsed, err := parser.Parse(sql)
	if err != nil {
		return err
	}
	st := &statement{}
	switch len(parsed) {
	case 0:
	case 1:
		if s.failed && !endsBlock(&statement{parsed: parsed[0]}) {
			return errAborted()
		}
		if st, err = s.analyze(parsed[0], given); err != nil {
			return shift(err, parsed[0].Offset)
		}
	default:
		return pgerr.Newf(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	s.statements[name] = st
	return nil
}

// noteExtended leaves a block that failed; an implicit transaction ends at Sync.
func (s *Session) noteExtended(err error) error {
	if err == nil {
		return nil
	}
	s.engine.metrics.Errors.Add(1)
	if s.tx != nil && s.tx.block {
		s.failed = true
	}
	return err
}

// recovered makes a panic an error of the statement, which leaves the
// transaction as any error does.
func (s *Session) recovered(note func(error) error, err *error) {
	if p := recover(); p != nil {
		s.engine.log.Error("panic in a statement", "panic", p, "stack", string(debug.Stack()))
		*err = note(pgerr.Newf(pgerr.InternalError, "internal error: %v", p))
	}
}

func (s *Session) statement(name string) (*statement, error) {
	st := s.statements[name]
	if st == nil {
		if name == "" {
			return nil, pgerr.Newf(pgerr.InvalidSQLStatementName, "unnamed prepared statement does not exist")
		}
		return nil, pgerr.Newf(pgerr.InvalidSQLStatementName, "prepared statement %q does not exist", name)
	}
	return st, nil
}

func (s *Session) portal(name string) (*portal, error) {
	p := s.portals[name]
	if p == nil {
		return nil, pgerr.Newf(pgerr.InvalidCursorName, "portal %q does not exist", name)
	}
	return p, nil
}

// DescribeStatement gives the parameters' types and the result's columns.
func (s *Session) DescribeStatement(name string) ([]types.OID, []session.ResultColumn, error) {
	st, err := s.statement(name)
	if err != nil {
		return nil, nil, s.noteExtended(err)
	}
	return st.params, st.told, nil
}

// DescribePortal gives the result's columns.
func (s *Session) DescribePortal(name string) ([]session.ResultColumn, error) {
	p, err := s.portal(name)
	if err != nil {
		return nil, s.noteExtended(err)
	}
	return p.cols, nil
}

// Bind makes a portal.
func (s *Session) Bind(_ context.Context, name, stmt string, formats []int16, params [][]byte) (err error) {
	defer s.recovered(s.noteExtended, &err)
	return s.noteExtended(s.bindPortal(name, stmt, formats, params))
}

func (s *Session) bindPortal(name, stmt string, formats []int16, params [][]byte) error {
	st, err := s.statement(stmt)
	if err != nil {
		return err
	}
	if name != "" && s.portals[name] != nil {
		return pgerr.Newf(pgerr.DuplicateCursor, "portal %q already exists", name)
	}
	if s.failed && !endsBlock(st) {
		return errAborted()
	}
	if !s.failed && st.deps() != nil {
		if err := s.bind(st, s.catalog()); err != nil {
			return err
		}
		if err := sameColumns(st.told, st.cols); err != nil {
			return err
		}
	}
	if len(params) != len(st.params) {
		return pgerr.Newf(pgerr.ProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d", len(params), stmt, len(st.params))
	}
	if len(formats) > 1 && len(formats) != len(params) {
		return pgerr.Newf(pgerr.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(formats), len(params))
	}
	args := make([]types.Datum, len(params))
	for i, raw := range params {
		var format int16
		switch len(formats) {
		case 0:
		case 1:
			format = formats[0]
		default:
			format = formats[i]
		}
		if args[i], err = s.decodeParam(st.params[i], format, raw); err != nil {
			return parameterError(err, name, i+1, format)
		}
	}
	s.ClosePortal(name)
	s.portals[name] = &portal{st: st, args: args, cols: st.told}
	return nil
}

// parameterError says which parameter an error is about.
func parameterError(err error, portal string, n int, format int16) error {
	e := pgerr.Flatten(err)
	e.Where = fmt.Sprintf("portal %q parameter $%d", portal, n)
	if portal == "" {
		e.Where = fmt.Sprintf("unnamed portal parameter $%d", n)
	}
	if format == 0 {
		e.Where += " = '...'"
	}
	return e
}

// errAborted refuses a statement in a failed block.
func errAborted() error {
	return pgerr.Newf(pgerr.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// endsBlock reports whether a statement may run in a failed block.
func endsBlock(st *statement) bool {
	n, ok := st.parsed.Stmt.(*ast.Transaction)
	return ok && (n.Kind == "commit" || n.Kind == "rollback" || n.Kind == "rollback to")
}

// decodeParam reads a parameter's value.
func (s *Session) decodeParam(t types.OID, format int16, raw []byte) (types.Datum, error) {
	if raw == nil {
		return types.NullDatum, nil
	}
	var buf []byte
	var err error
	switch format {
	case 0:
		d, err := s.format.ParseDatum(types.T(t), string(raw))
		return d, err
	case 1:
		buf, err = types.AppendFromBinary(nil, types.T(t), raw)
	default:
		return types.Datum{}, pgerr.Newf(pgerr.InvalidParameterValue, "unsupported format code: %d", format)
	}
	if err != nil {
		return types.Datum{}, err
	}
	row := types.Row(buf)
	return types.DecodeSpan(t, row, row.Spans(1, nil)[0]), nil
}

// Execute runs a portal for at most maxRows rows.
func (s *Session) Execute(ctx context.Context, name string, maxRows int, w session.ResultWriter) (suspended bool, err error) {
	defer s.recovered(s.noteExtended, &err)
	suspended, err = s.executePortal(ctx, name, maxRows, w)
	return suspended, s.noteExtended(err)
}

func (s *Session) executePortal(ctx context.Context, name string, maxRows int, w session.ResultWriter) (bool, error) {
	p, err := s.portal(name)
	if err != nil {
		return false, err
	}
	if s.failed && !endsBlock(p.st) {
		return false, errAborted()
	}
	out := &result{ResultWriter: w, cols: p.cols}
	if p.st.parsed.Stmt == nil {
		return false, out.Empty()
	}
	if p.st.query == nil || (maxRows == 0 && p.next == nil && !p.ended) {
		if p.ended {
			return false, pgerr.Newf(pgerr.ObjectNotInPrerequisite, "portal %q cannot be run", name)
		}
		p.ended = true
		tag, err := s.execute(ctx, p.st, p.args, out)
		if err != nil {
			return false, err
		}
		return false, out.Complete(tag)
	}
	n, more, err := s.fetch(ctx, p, maxRows, out.Row)
	if err != nil {
		return false, err
	}
	if more {
		return true, nil
	}
	return false, out.Complete("SELECT " + strconv.Itoa(n))
}

// fetch sends up to max rows of a portal (0: all) and reports whether there
// may be more.
func (s *Session) fetch(ctx context.Context, p *portal, max int, emit func(types.Row) error) (n int, more bool, err error) {
	if p.ended {
		return 0, false, nil
	}
	if p.next == nil {
		if err := s.open(ctx, p); err != nil {
			return 0, false, err
		}
	}
	ctx, done := s.withTimeout(ctx)
	defer done()
	defer context.AfterFunc(ctx, func() { p.cancel(context.Cause(ctx)) })()
	for max == 0 || n < max {
		row, err, ok := p.next()
		if err != nil {
			return n, false, err
		}
		if !ok {
			p.ended = true
			return n, false, nil
		}
		n++
		if err := emit(row); err != nil {
			return n, false, err
		}
	}
	p.rows += n
	return n, true, nil
}

// open starts a portal's query as a coroutine that is resumed for each row.
func (s *Session) open(ctx context.Context, p *portal) error {
	tx := s.begin(false)
	if err := s.prepareRead(ctx, tx, p.st); err != nil {
		return err
	}
	if err := sameColumns(p.cols, p.st.cols); err != nil {
		return err
	}
	tx.view.snap.Retain()
	p.view = tx.view
	own := *tx
	own.overlays = cloneOverlays(tx.overlays)
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p.cancel = cancel
	p.next, p.stop = iter.Pull2(func(yield func(types.Row, error) bool) {
		err := s.rows(run, &own, p.st, p.args, func(row types.Row) error {
			if !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, err)
		}
	})
	return nil
}

// ClosePortal closes a portal, if there is one.
func (s *Session) ClosePortal(name string) {
	p := s.portals[name]
	if p == nil {
		return
	}
	delete(s.portals, name)
	if p.stop != nil {
		p.cancel(nil)
		p.stop()
		p.view.release()
	}
}

// CloseStatement forgets a prepared statement, if there is one.
func (s *Session) CloseStatement(name string) { delete(s.statements, name) }

// Sync ends the implicit transaction of an extended-protocol batch.
func (s *Session) Sync(ctx context.Context, failed bool) error {
	if s.tx != nil && s.tx.block {
		return nil
	}
	for name, p := range s.portals {
		if !p.cursor {
			s.ClosePortal(name)
		}
	}
	if failed {
		s.rollback()
		return nil
	}
	return s.commit(ctx)
}

// tagOf is the command tag of a statement that returns no count.
func tagOf(words ...string) string { return strings.ToUpper(strings.Join(words, " ")) }
