// Package parser turns PostgreSQL's language into the syntax tree of package ast.
//
// A reader of our own decides tokens, precedence and syntax errors, and emits
// queries and expressions as text in which every operand is parenthesised and
// every name quoted. From that text TiDB's grammar builds the tree, which is
// decoded into ours. TiDB never sees the user's bytes: what MySQL's grammar
// lacks travels under reserved names that begin with a NUL byte.
package parser

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	tidbparser "github.com/pingcap/tidb/pkg/parser"
	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/parser/internal/failpoint"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A hole is a query or an expression of the current statement that TiDB's
// grammar is to build; fill gets it. A query's node fills itself.
type hole struct {
	text  frag
	query bool
	fill  func(ast.Expr)
}

// poolLimit is the longest text after which a parser is kept: both ours and
// TiDB's hold on to their largest stacks.
const poolLimit = 64 << 10

var (
	readers = sync.Pool{New: func() any { return &reader{} }}
	tidbs   = sync.Pool{New: func() any {
		p := tidbparser.New()
		p.SetSQLMode(mysql.ModeNoBackslashEscapes)
		return p
	}}
)

// Parse reads a string of statements. A syntax error anywhere fails the whole
// string; positions in errors are in characters of the string. It is linear in
// the text; safe for concurrent use.
func Parse(sql string) ([]ast.Parsed, error) {
	var out []ast.Parsed
	err := read(sql, func(p *reader) {
		for {
			for p.acceptPunct(";") {
			}
			if p.cur().kind == tEOF {
				return
			}
			out = append(out, p.parsed())
			if !p.atEnd() {
				p.fail()
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ParseExpr reads a scalar expression that stands alone, such as a default.
func ParseExpr(text string) (ast.Expr, error) {
	var out ast.Expr
	err := read(text, func(p *reader) {
		p.clear()
		p.later(p.expr(), func(e ast.Expr) { out = e })
		if p.cur().kind != tEOF {
			p.fail()
		}
		p.build()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ParseTypeName reads the name of a type, such as numeric(10,2) or text[].
func ParseTypeName(text string) (ast.TypeName, error) {
	var out ast.TypeName
	err := read(text, func(p *reader) {
		out = p.typeName()
		if p.cur().kind != tEOF {
			p.fail()
		}
	})
	if err != nil {
		return ast.TypeName{}, err
	}
	return out, nil
}

// read runs f on a reader of text and gives the first error.
func read(text string, f func(*reader)) (err error) {
	if !failpoint.Cleared {
		return pgerr.Newf(pgerr.InternalError, "could not clear the environment of the parser")
	}
	if i := invalidByte(text); i >= 0 {
		return pgerr.Newf(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", text[i])
	}
	p := readers.Get().(*reader)
	*p = reader{lexer: lexer{toks: p.toks, match: p.match, open: p.open}, pieces: p.pieces, notes: p.notes, holes: p.holes}
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *pgerr.Error:
			err = x
		default:
			err = pgerr.Newf(pgerr.InternalError, "parser: %v", x)
		}
		if len(text) <= poolLimit {
			p.clear()
			clear(p.toks)
			readers.Put(p)
		}
	}()
	p.start(text)
	f(p)
	if p.unsup != nil {
		return p.unsup
	}
	return nil
}

func invalidByte(s string) int {
	if i := strings.IndexByte(s, 0); i >= 0 || utf8.ValidString(s) {
		return i
	}
	for i := 0; ; {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}

// clear forgets the statement before.
func (p *reader) clear() {
	clear(p.notes)
	clear(p.holes)
	clear(p.pieces)
	p.pieces = append(p.pieces[:0], piece{})
	p.notes, p.holes, p.params, p.height = p.notes[:0], p.holes[:0], 0, 0
}

// parsed reads one statement up to its semicolon.
func (p *reader) parsed() ast.Parsed {
	p.clear()
	p.first = p.pos()
	stmt := p.statement()
	if !p.atEnd() {
		p.fail()
	}
	end := p.toks[p.i-1].end
	p.build()
	return ast.Parsed{Stmt: stmt, Text: p.src[p.first:end], Offset: p.char(p.first), NParams: p.params}
}

// later has TiDB's grammar build an expression when the statement is complete.
func (p *reader) later(f frag, fill func(ast.Expr)) {
	p.holes = append(p.holes, hole{text: f, fill: fill})
}

// laterQuery does so with a query; its node is complete after build.
func (p *reader) laterQuery(q *query, fill func(ast.Expr)) *ast.Select {
	p.holes = append(p.holes, hole{text: p.emitQuery(q), query: true, fill: fill})
	return q.node
}

// build has TiDB's grammar build all holes of the statement, in one go.
func (p *reader) build() {
	if len(p.holes) == 0 || p.unsup != nil {
		return
	}
	single := len(p.holes) == 1 && p.holes[0].query
	var f frag
	if single {
		f = p.holes[0].text
	} else {
		fs := make([]frag, len(p.holes))
		for i, h := range p.holes {
			fs[i] = p.paren(h.text, p.first)
		}
		f = p.cat(p.t("SELECT", p.first), p.list(p.first, fs))
	}
	text, positions := p.flatten(f)
	tp := tidbs.Get().(*tidbparser.Parser)
	stmt, err := tp.ParseOneStmt(text, "", "")
	if err != nil {
		panic(internal(err))
	}
	d := &decoder{p: p, pos: positions}
	if single {
		d.query(stmt)
		p.filled(0, nil)
	} else {
		s, ok := stmt.(*tidb.SelectStmt)
		if !ok || len(s.Fields.Fields) != len(p.holes) {
			d.bug("statement %T", stmt)
		}
		for i, fd := range s.Fields.Fields {
			p.filled(i, d.expr(fd.Expr))
		}
	}
	if len(text) <= poolLimit { // after a panic or an error the parser is dropped, too
		tidbs.Put(tp)
	}
}

func (p *reader) filled(i int, e ast.Expr) {
	if fill := p.holes[i].fill; fill != nil {
		fill(e)
	}
}

// internal is the error of TiDB about our own text: a bug of ours. Its
// message would quote that text, so it is cut.
func internal(err error) *pgerr.Error {
	msg := strings.ReplaceAll(err.Error(), mark, "@")
	if len(msg) > 200 {
		msg = strings.ToValidUTF8(msg[:200], "")
	}
	e := pgerr.Newf(pgerr.InternalError, "parser: %s", msg)
	e.Cause = errors.New(msg)
	return e
}
