package parser

import (
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// explain reads EXPLAIN [ANALYZE] [VERBOSE] [(options)] statement and EXPLAIN
// [MATERIALIZED] VIEW name.
func (p *reader) explain() ast.Statement {
	s := &ast.Explain{Pos: p.here()}
	p.expectKw("explain")
	flag := func(word string) {
		s.Options = append(s.Options, ast.Option{Pos: p.here(), Name: word, Value: "true"})
		p.i++
	}
	if p.punct("(") && !p.queryAhead() {
		s.Options = p.options()
	} else {
		if p.kw("analyze") || p.kw("analyse") {
			flag("analyze")
		}
		if p.kw("verbose") {
			flag("verbose")
		}
	}
	if p.kw("view") || p.kw("materialized") {
		p.accept("materialized")
		p.expectKw("view")
		s.View = p.qualified()
		return s
	}
	c := p.cur()
	if c.kind == tIdent {
		switch c.val {
		case "select", "values", "table", "with", "insert", "update", "delete", "create", "declare", "execute", "subscribe", "merge", "refresh":
		default:
			p.fail()
		}
	}
	s.Stmt = p.statement()
	return s
}

func (p *reader) prepare() ast.Statement {
	s := &ast.Prepare{Pos: p.here()}
	p.expectKw("prepare")
	if p.kw("transaction") && p.peek(1).kind == tString {
		return p.skip(p.pos(), "PREPARE TRANSACTION")
	}
	s.Name = p.colID()
	if p.acceptPunct("(") {
		for {
			s.Types = append(s.Types, p.typeName())
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expect(")")
	}
	p.expectKw("as")
	from := p.pos()
	s.Stmt = p.preparable()
	s.StmtText = p.text(from)
	return s
}

// preparable reads a query or a data-modifying statement.
func (p *reader) preparable() ast.Statement {
	switch c := p.cur(); {
	case c.punct("("), c.is("select"), c.is("values"), c.is("table"), c.is("with"),
		c.is("insert"), c.is("update"), c.is("delete"), c.is("merge"):
	default:
		p.fail()
	}
	return p.statement()
}

func (p *reader) execute() ast.Statement {
	s := &ast.Execute{Pos: p.here()}
	p.expectKw("execute")
	s.Name = p.colID()
	if !p.acceptPunct("(") {
		return s
	}
	args := p.exprList()
	p.expect(")")
	s.Args = make([]ast.Expr, len(args))
	for i, f := range args {
		p.later(f, func(e ast.Expr) { s.Args[i] = e })
	}
	return s
}

func (p *reader) deallocate() ast.Statement {
	s := &ast.Deallocate{Pos: p.here()}
	p.expectKw("deallocate")
	if n := p.peek(1); n.colID() || n.is("all") {
		p.accept("prepare")
	}
	if !p.accept("all") {
		s.Name = p.colID()
	}
	return s
}

func (p *reader) declare() ast.Statement {
	s := &ast.Declare{Pos: p.here()}
	p.expectKw("declare")
	s.Name = p.colID()
	for !p.kw("cursor") {
		yes := true
		switch {
		case p.accept("binary"):
			s.Binary = true
		case p.accept("insensitive"), p.accept("asensitive"):
		case p.accept("scroll"):
			s.Scroll = &yes
		default:
			p.expectKw("no", "scroll")
			yes = false
			s.Scroll = &yes
		}
	}
	p.expectKw("cursor")
	if p.accept("with") {
		p.expectKw("hold")
		s.Hold = true
	} else if p.accept("without") {
		p.expectKw("hold")
	}
	p.expectKw("for")
	switch c := p.cur(); {
	case c.is("subscribe"), c.is("with"), c.punct("("), c.is("select"), c.is("values"), c.is("table"):
	default:
		p.fail()
	}
	s.Stmt = p.statement()
	return s
}

// fetch reads FETCH or MOVE [direction] [FROM | IN] cursor.
func (p *reader) fetch() ast.Statement {
	s := &ast.Fetch{Pos: p.here(), Direction: "forward", Count: 1}
	s.Move = p.kw("move")
	p.i++
	named := func() bool { // a cursor of that name is meant
		return p.cur().colID() && p.peek(1).ends()
	}
	c := p.cur()
	switch {
	case named():
		s.Direction = "next"
	case c.is("next"), c.is("prior"), c.is("first"), c.is("last"):
		s.Direction = c.val
		p.i++
	case c.is("absolute"), c.is("relative"):
		s.Direction = c.val
		p.i++
		s.Count = p.signedInt()
	case c.is("forward"), c.is("backward"):
		s.Direction = c.val
		p.i++
		if p.accept("all") {
			s.All = true
		} else if k := p.cur(); k.kind == tInt || k.kind == tNum || k.kind == tOp {
			s.Count = p.signedInt()
		}
	case p.accept("all"):
		s.All = true
	case c.kind == tInt, c.kind == tNum, c.kind == tOp:
		s.Count = p.signedInt()
	default:
		s.Direction = "next"
	}
	if !p.accept("from") {
		p.accept("in")
	}
	s.Name = p.colID()
	return s
}

func (p *reader) signedInt() int64 {
	sign := ""
	if p.op("-") || p.op("+") {
		sign = strings.TrimPrefix(p.cur().val, "+")
		p.i++
	}
	pos := p.pos()
	n, err := strconv.ParseInt(sign+p.expectInt(), 10, 32)
	if err != nil {
		p.raise(pos, pgerr.SyntaxError, "syntax error at or near \"%s\"", p.toks[p.i-1].val)
	}
	return n
}

func (p *reader) closeCursor() ast.Statement {
	s := &ast.Close{Pos: p.here()}
	p.expectKw("close")
	if !p.accept("all") {
		s.Name = p.colID()
	}
	return s
}

// copy reads COPY table [(columns)] | (query) FROM | TO target [[WITH] options].
func (p *reader) copy() ast.Statement {
	s := &ast.Copy{Pos: p.here()}
	p.expectKw("copy")
	binary := p.kw("binary") && !p.punctAt(1, ".") && !p.kwAt(1, "from") && !p.kwAt(1, "to") && !p.punctAt(1, "(")
	if binary {
		s.Options = append(s.Options, ast.Option{Pos: p.here(), Name: "format", Value: "binary", ValuePos: p.here()})
		p.i++
	}
	if p.punct("(") {
		p.i++
		if p.kw("subscribe") {
			s.Query = p.statement()
		} else {
			s.Query = p.preparable()
		}
		p.expect(")")
		if !p.kw("to") {
			p.fail()
		}
	} else {
		s.Table = &ast.TableName{Pos: p.here(), Name: p.qualified()}
		s.Columns = p.parenColIDs()
	}
	if s.From = p.accept("from"); !s.From {
		p.expectKw("to")
	}
	switch c := p.cur(); {
	case c.is("stdin"), c.is("stdout"):
		s.Target = c.val
		p.i++
	case c.is("program"):
		p.i++
		s.Target = "program " + p.expectString()
	default:
		s.Target = p.expectString()
	}
	p.copyOptions(s)
	if pos := p.pos(); s.From && p.accept("where") {
		p.refuse(pos, "COPY FROM … WHERE")
		p.expr()
	}
	return s
}

// copyOptions reads the options in their new or their old spelling.
func (p *reader) copyOptions(s *ast.Copy) {
	add := func(pos ast.Pos, name, value string, quoted bool) {
		s.Options = append(s.Options, ast.Option{Pos: pos, Name: name, Value: value, ValuePos: pos, Quoted: quoted})
	}
	p.accept("using")
	with := p.accept("with")
	if p.punct("(") {
		pos := p.pos()
		for j := p.i; j < int(p.match[p.i]); j++ {
			if p.toks[j].punct("(") && j > p.i { // FORCE_QUOTE (a, b)
				p.refuse(pos, "COPY's FORCE options")
				p.skipParens()
				return
			}
		}
		s.Options = append(s.Options, p.options()...)
		return
	}
	first := true
	for {
		pos := p.here()
		c := p.cur()
		switch {
		case c.is("binary"), c.is("csv"):
			p.i++
			add(pos, "format", c.val, false)
		case c.is("freeze"), c.is("header"):
			p.i++
			add(pos, c.val, "true", false)
		case c.is("delimiter"), c.is("delimiters"), c.is("null"), c.is("quote"), c.is("escape"), c.is("encoding"):
			p.i++
			p.accept("as")
			add(pos, strings.TrimSuffix(c.val, "s"), p.expectString(), true)
		case c.is("force"):
			p.refuse(c.pos, "COPY's FORCE options")
			p.i++
			p.accept("not")
			p.i++
			if p.op("*") {
				p.i++
			} else {
				p.colIDs()
			}
		default:
			if with && first && !p.atEnd() {
				p.fail()
			}
			return
		}
		first = false
	}
}
