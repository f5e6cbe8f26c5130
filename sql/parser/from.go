package parser

import "github.com/helios-sql/helios-sql/sql/parser/ast"

// fromList reads a FROM list and says how many items it has.
func (p *reader) fromList() (int, frag) {
	n, f := 1, p.tableRef()
	for p.punct(",") {
		pos := p.pos()
		p.i++
		n++
		f = p.cat(f, p.t(",", pos), p.tableRef())
	}
	if n > maxHeight {
		p.tooDeep()
	}
	return n, f
}

func (t *token) joinStart() bool {
	if t.kind != tIdent || t.kw != kwT {
		return false
	}
	switch t.val {
	case "join", "cross", "inner", "left", "right", "full", "natural":
		return true
	}
	return false
}

func (p *reader) tableRef() frag {
	outer := p.height
	p.height = 0
	f := p.tablePrimary()
	h := p.grow(0)
	for p.cur().joinStart() {
		p.height = 0
		f, _ = p.join(f)
		h = p.grow(h)
	}
	p.height = max(outer, h)
	return f
}

// join reads one join after l. TiDB sees a left join on the node's reserved
// name, whatever the kind: that form it never reorders.
func (p *reader) join(l frag) (frag, *ast.Join) {
	p.enter()
	defer p.leave()
	pos := p.pos()
	n := &ast.Join{Pos: p.at(pos)}
	n.Natural = p.accept("natural")
	cross := !n.Natural && p.accept("cross")
	switch {
	case cross || p.accept("inner"):
	case p.accept("left"):
		n.Kind = ast.LeftJoin
	case p.accept("right"):
		n.Kind = ast.RightJoin
	case p.accept("full"):
		n.Kind = ast.FullJoin
	}
	if n.Kind != ast.InnerJoin {
		p.accept("outer")
	}
	p.expectKw("join")
	r := p.tablePrimary()
	var parts []frag
	if !cross && !n.Natural {
		for !p.kw("on") && !p.kw("using") {
			if !p.cur().joinStart() {
				p.fail()
			}
			r, _ = p.join(r)
		}
		if p.accept("on") {
			n.On = missing
			parts = append(parts, p.expr())
		} else {
			p.expectKw("using")
			if n.Using = p.parenColIDs(); n.Using == nil {
				p.fail()
			}
			if p.accept("as") {
				n.UsingAlias = p.colID()
			}
		}
	}
	return p.paren(p.cat(l, p.t("LEFT JOIN", pos), r, p.t("ON", pos), p.call(n, pos, parts...)), pos), n
}

// as emits f under the reserved name of node as its alias.
func (p *reader) as(f frag, node ast.TableRef, pos int32) frag {
	return p.cat(f, p.t("AS "+p.carry(node), pos))
}

// relation reads [ONLY] name [*] without an alias.
func (p *reader) relation() frag {
	pos := p.pos()
	return p.as(p.t("`"+mark+"`", pos), p.tableName(), pos)
}

func (p *reader) tableName() *ast.TableName {
	t := &ast.TableName{}
	if p.accept("only") {
		t.Only = true
		if p.acceptPunct("(") {
			t.Pos = p.here()
			t.Name = p.qualified()
			p.expect(")")
			return t
		}
	}
	t.Pos = p.here()
	t.Name = p.qualified()
	if !t.Only && p.op("*") {
		p.i++
	}
	return t
}

// alias reads [AS] name [(columns)]; for a function's also AS (name type, …).
func (p *reader) alias(types *[]ast.TypeName) (a ast.Alias, ok bool) {
	as := p.accept("as")
	if types == nil || !as || !p.punct("(") {
		if !p.cur().colID() {
			if as {
				p.fail()
			}
			return a, false
		}
		a.Name = p.colID()
	}
	if !p.acceptPunct("(") {
		return a, true
	}
	for {
		a.Columns = append(a.Columns, p.colID())
		if types != nil && (*types != nil || len(a.Columns) == 1 && !p.punct(",") && !p.punct(")")) {
			*types = append(*types, p.typeName())
		}
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expect(")")
	if types != nil && a.Name == "" && *types == nil || types != nil && *types != nil && len(*types) != len(a.Columns) {
		p.i--
		p.fail()
	}
	return a, true
}

func (p *reader) tablePrimary() frag {
	p.enter()
	defer p.leave()
	pos := p.pos()
	lateral := p.accept("lateral")
	switch {
	case p.punct("("):
		if p.queryAhead() {
			f := p.parenQuery(pos)
			d := &ast.DerivedTable{Pos: p.at(pos), Lateral: lateral}
			d.Alias, _ = p.alias(nil)
			return p.as(f, d, pos)
		}
		if lateral {
			p.i++
			p.fail()
		}
		f, _ := p.parenJoin()
		return f
	case p.kw("rows") && p.kwAt(1, "from"):
		return p.rowsFrom(lateral, pos)
	case p.functionAhead():
		f := &ast.FuncTable{Pos: p.at(pos), Lateral: lateral}
		c := p.primary().frag
		return p.funcTable(f, []frag{c}, pos)
	case p.cur().kind == tIdent && p.cur().kw == kwT, lateral && p.cur().colID():
		p.failNext()
	case lateral:
		p.fail()
	}
	t := p.tableName()
	t.Alias, _ = p.alias(nil)
	if p.kw("tablesample") {
		p.refuse(p.pos(), "TABLESAMPLE")
		p.i++
		p.qualified()
		p.expect("(")
		p.exprList()
		p.expect(")")
		if p.accept("repeatable") {
			p.expect("(")
			p.expr()
			p.expect(")")
		}
	}
	return p.as(p.t("`"+mark+"`", pos), t, pos)
}

// parenJoin reads ( table JOIN … ) [alias]; a parenthesised table alone is no
// table, but a parenthesised join without an alias may stand in more of them.
func (p *reader) parenJoin() (frag, *ast.Join) {
	p.enter()
	defer p.leave()
	p.expect("(")
	var f frag
	var last *ast.Join
	if p.punct("(") && !p.queryAhead() {
		f, last = p.parenJoin()
	} else {
		f = p.tablePrimary()
	}
	if !p.cur().joinStart() && (last == nil || last.Alias.Name != "") {
		p.fail()
	}
	h := p.height
	for p.cur().joinStart() {
		f, last = p.join(f)
		h = p.grow(h)
	}
	p.height = h
	p.expect(")")
	last.Alias, _ = p.alias(nil)
	return f, last
}

func (p *reader) functionAhead() bool {
	c := p.cur()
	if c.kind == tIdent && c.kw != 0 {
		switch c.val {
		case "current_date", "current_user", "session_user", "user", "current_role", "current_catalog",
			"current_time", "current_timestamp", "localtime", "localtimestamp", "current_schema":
			return true
		case "coalesce", "greatest", "least", "nullif", "extract", "cast", "collation", "overlay", "position",
			"substring", "trim", "treat", "normalize":
			return p.punctAt(1, "(") || c.val == "collation"
		}
		if c.kw == kwR || c.kw == kwC && !p.punctAt(1, ".") {
			return false
		}
	}
	j := p.i
	for p.toks[j].colLabel() {
		if j++; p.toks[j].punct("(") {
			return true
		}
		if !p.toks[j].punct(".") {
			return false
		}
		j++
	}
	return false
}

func (p *reader) rowsFrom(lateral bool, pos int32) frag {
	p.i += 2
	p.expect("(")
	f := &ast.FuncTable{Pos: p.at(pos), Lateral: lateral}
	var calls []frag
	for {
		c := p.primary().frag
		calls = append(calls, c)
		if p.kw("as") {
			p.refuse(p.pos(), "a column definition list inside ROWS FROM")
			var types []ast.TypeName
			p.alias(&types)
		}
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expect(")")
	return p.funcTable(f, calls, pos)
}

// funcTable reads what may follow the calls and emits SELECT call, … as a derived table.
func (p *reader) funcTable(f *ast.FuncTable, calls []frag, pos int32) frag {
	if p.kw("with") && p.kwAt(1, "ordinality") {
		p.i += 2
		f.Ordinality = true
	}
	f.Calls = make([]*ast.Call, len(calls))
	f.Alias, _ = p.alias(&f.ColTypes)
	return p.as(p.paren(p.cat(p.t("SELECT", pos), p.list(pos, calls)), pos), f, pos)
}
