package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// settingName reads a setting's name with its dots, in lower case.
func (p *reader) settingName() string {
	name := p.colID()
	for p.acceptPunct(".") {
		name += "." + p.colID()
	}
	return strings.ToLower(name)
}

func (p *reader) set() ast.Statement {
	s := &ast.Set{Pos: p.here()}
	p.expectKw("set")
	switch {
	case p.kw("transaction") && (p.kwAt(1, "isolation") || p.kwAt(1, "read") || p.kwAt(1, "deferrable") || p.kwAt(1, "not") || p.kwAt(1, "snapshot")):
		p.i++
		if p.kw("snapshot") {
			return p.skip(p.pos(), "SET TRANSACTION SNAPSHOT")
		}
		return &ast.Transaction{Pos: s.Pos, Kind: "set transaction", Modes: p.modes(true)}
	case p.kw("constraints"):
		return p.skip(p.pos(), "SET CONSTRAINTS")
	case p.kw("session") && p.kwAt(1, "characteristics"):
		p.i += 2
		p.expectKw("as", "transaction")
		s.Name = "session characteristics"
		s.Values = p.modes(true)
		return s
	case p.kw("session") && !p.settingFollows():
		p.i++
	case p.kw("local") && !p.settingFollows():
		p.i++
		s.Local = true
	}
	p.setting(s)
	return s
}

// settingFollows says whether the word at hand is itself the name of a setting.
func (p *reader) settingFollows() bool {
	n := p.peek(1)
	return n.is("to") || n.kind == tOp || n.punct(".")
}

func (p *reader) setting(s *ast.Set) {
	switch {
	case p.kw("time") && p.kwAt(1, "zone"):
		p.i += 2
		s.Name = "timezone"
		p.timeZone(s)
	case p.kw("schema") && p.peek(1).kind == tString:
		p.i++
		s.Name, s.Values = "search_path", []string{p.expectString()}
	case p.kw("names"):
		p.i++
		s.Name = "client_encoding"
		if p.cur().kind == tString {
			s.Values = []string{p.expectString()}
		} else if !p.accept("default") && !p.atEnd() {
			p.fail()
		}
	case p.kw("role") && !p.settingFollows():
		p.i++
		s.Name = "role"
		p.setValues(s)
	case p.kw("session") && p.kwAt(1, "authorization"), p.kw("authorization"):
		p.accept("session")
		p.expectKw("authorization")
		s.Name = "session_authorization"
		p.setValues(s)
	case p.kw("xml") && p.kwAt(1, "option"):
		p.i += 2
		s.Name = "xmloption"
		p.setValues(s)
	default:
		s.Name = p.settingName()
		if !p.accept("to") {
			p.expectOp("=")
		}
		p.setValues(s)
	}
}

// setValues reads value, … or DEFAULT (no values).
func (p *reader) setValues(s *ast.Set) {
	if p.accept("default") {
		return
	}
	for {
		c := p.cur()
		sign := ""
		if (p.op("-") || p.op("+")) && (p.peek(1).kind == tInt || p.peek(1).kind == tNum) {
			sign = strings.TrimPrefix(c.val, "+")
			p.i++
			c = p.cur()
		}
		switch {
		case c.kind == tInt, c.kind == tNum, c.kind == tString, c.kind == tQuoted:
		case c.kind == tIdent && (c.kw != kwR || c.val == "true" || c.val == "false" || c.val == "on"):
		default:
			p.fail()
		}
		p.i++
		s.Values = append(s.Values, sign+c.val)
		if !p.acceptPunct(",") {
			return
		}
	}
}

// timeZone reads the value of SET TIME ZONE.
func (p *reader) timeZone(s *ast.Set) {
	switch {
	case p.accept("local"):
	case p.kw("interval"):
		pos := p.pos()
		p.i++
		if p.punct("(") {
			p.intMod()
		}
		s.Values = []string{p.expectString()}
		t := named("interval")
		p.intervalQual(&t, false)
		p.refuse(pos, "SET TIME ZONE with an interval")
	case p.accept("default"):
	default:
		if c := p.cur(); c.kind == tIdent && c.kw != 0 {
			p.fail()
		}
		p.setValues(s)
		if len(s.Values) != 1 {
			p.fail()
		}
	}
}

func (p *reader) reset() ast.Statement {
	s := &ast.Set{Pos: p.here(), Reset: true}
	p.expectKw("reset")
	switch {
	case p.accept("all"):
		s.Name = "all"
	case p.kw("time") && p.kwAt(1, "zone"):
		p.i += 2
		s.Name = "timezone"
	case p.kw("transaction") && p.kwAt(1, "isolation"):
		p.i++
		p.expectKw("isolation", "level")
		s.Name = "transaction_isolation"
	case p.kw("session") && p.kwAt(1, "authorization"):
		p.i += 2
		s.Name = "session_authorization"
	default:
		s.Name = p.settingName()
	}
	return s
}

// showPhrases are what SHOW lists of the engine's, unless a setting is meant.
var showPhrases = map[string]bool{
	"sources": true, "secrets": true, "tables": true, "views": true, "indexes": true, "schemas": true, "columns": true, "cursors": true, "subscriptions": true,
}

func (p *reader) show() ast.Statement {
	s := &ast.Show{Pos: p.here()}
	p.expectKw("show")
	switch c := p.cur(); {
	case p.accept("all"):
		s.What = "all"
	case c.is("time") && p.kwAt(1, "zone"):
		p.i += 2
		s.What = "timezone"
	case c.is("transaction") && p.kwAt(1, "isolation"):
		p.i++
		p.expectKw("isolation", "level")
		s.What = "transaction_isolation"
	case c.is("session") && p.kwAt(1, "authorization"):
		p.i += 2
		s.What = "session_authorization"
	case c.is("materialized"):
		p.i++
		p.expectKw("views")
		s.What = "materialized views"
	case c.kind == tIdent && showPhrases[c.val]:
		p.i++
		s.What = c.val
	default:
		s.What = p.settingName()
	}
	return s
}

func (p *reader) transaction() ast.Statement {
	s := &ast.Transaction{Pos: p.here()}
	verb := p.cur().val
	p.i++
	work := func() {
		if !p.accept("work") {
			p.accept("transaction")
		}
	}
	switch verb {
	case "begin":
		s.Kind = "begin"
		work()
		s.Modes = p.modes(false)
	case "start":
		s.Kind = "begin"
		p.expectKw("transaction")
		s.Modes = p.modes(false)
	case "commit", "end":
		s.Kind = "commit"
		if p.kw("prepared") && verb == "commit" {
			return p.skip(p.pos(), "COMMIT PREPARED")
		}
		work()
		p.chainOption(s)
	case "rollback", "abort":
		s.Kind = "rollback"
		if p.kw("prepared") && verb == "rollback" {
			return p.skip(p.pos(), "ROLLBACK PREPARED")
		}
		work()
		if verb == "rollback" && p.accept("to") {
			p.accept("savepoint")
			s.Kind, s.Name = "rollback to", p.colID()
			break
		}
		p.chainOption(s)
	case "savepoint":
		s.Kind, s.Name = "savepoint", p.colID()
	case "release":
		if n := p.peek(1); n.colID() {
			p.accept("savepoint")
		}
		s.Kind, s.Name = "release", p.colID()
	}
	return s
}

// chainOption reads AND [NO] CHAIN.
func (p *reader) chainOption(s *ast.Transaction) {
	if p.accept("and") {
		s.Chain = !p.accept("no")
		p.expectKw("chain")
	}
}

// modes reads transaction modes, such as isolation level read committed, read only.
func (p *reader) modes(required bool) []string {
	var out []string
	for {
		switch {
		case p.accept("isolation"):
			p.expectKw("level")
			switch {
			case p.accept("serializable"):
				out = append(out, "isolation level serializable")
			case p.accept("repeatable"):
				p.expectKw("read")
				out = append(out, "isolation level repeatable read")
			default:
				p.expectKw("read")
				if !p.kw("committed") && !p.kw("uncommitted") {
					p.fail()
				}
				out = append(out, "isolation level read "+p.cur().val)
				p.i++
			}
		case p.accept("read"):
			if !p.kw("only") && !p.kw("write") {
				p.fail()
			}
			out = append(out, "read "+p.cur().val)
			p.i++
		case p.accept("deferrable"):
			out = append(out, "deferrable")
		case p.kw("not") && p.kwAt(1, "deferrable"):
			p.i += 2
			out = append(out, "not deferrable")
		default:
			if required || len(out) > 0 && p.toks[p.i-1].punct(",") {
				p.fail()
			}
			return out
		}
		required = p.acceptPunct(",")
	}
}

func (p *reader) discard() ast.Statement {
	s := &ast.Discard{Pos: p.here()}
	p.expectKw("discard")
	switch c := p.cur(); {
	case c.is("all"), c.is("plans"), c.is("sequences"), c.is("temp"):
		s.What = c.val
	case c.is("temporary"):
		s.What = "temp"
	default:
		p.fail()
	}
	p.i++
	return s
}
