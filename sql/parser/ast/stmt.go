package ast

// A Statement is one SQL statement.
type Statement interface{ Position() Pos }

// An Option is one item of WITH (name = value); Value is its text.
type Option struct {
	Pos
	Name     string
	Value    string
	ValuePos Pos
	Quoted   bool // written as a string literal
}

// A CreateSource is CREATE SOURCE [IF NOT EXISTS] name FROM CDC CONNECTION '…'
// [TABLES (…) | ALL TABLES | SCHEMA s, …] [WITH (…)].
type CreateSource struct {
	Pos
	IfNotExists   bool
	Name          []string
	Connector     string // cdc
	Connection    string
	ConnectionPos Pos
	AllTables     bool
	Schemas       []string
	Tables        []SourceTable
	Options       []Option
}

// A SourceTable is one captured table: schema.name [(columns)] [AS local] [WHERE …].
type SourceTable struct {
	Pos
	Name    []string
	Columns []string
	As      []string
	Where   string // the predicate's text
}

// A CreateSecret is CREATE [OR REPLACE] SECRET [IF NOT EXISTS] name AS 'value'.
type CreateSecret struct {
	Pos
	OrReplace, IfNotExists bool
	Name                   []string
	Value                  string
}

// An AlterSource is ALTER SOURCE name ADD TABLE [IF NOT EXISTS] … | DROP TABLE [IF EXISTS] name [CASCADE] |
// REFRESH TABLE name; Action: add table, drop table, refresh table.
type AlterSource struct {
	Pos
	Name                           []string
	Action                         string
	IfNotExists, IfExists, Cascade bool
	Table                          SourceTable
}

// A CreateView is CREATE [OR REPLACE] [MATERIALIZED] VIEW [IF NOT EXISTS].
type CreateView struct {
	Pos
	OrReplace, Materialized, IfNotExists bool
	Name                                 []string
	NamePos                              Pos
	Columns                              []string
	Query                                *Select
	QueryText                            string // the query as the user wrote it
	Options                              []Option
}

// A CreateTable is CREATE TABLE [IF NOT EXISTS] name (…).
type CreateTable struct {
	Pos
	IfNotExists bool
	Name        []string
	Columns     []ColumnDef
	PrimaryKey  []string // of a table constraint; column constraints are in Columns
	// PrimaryKeyPos is where the table constraint stands.
	PrimaryKeyPos Pos
}

// A ColumnDef is a column of a CREATE TABLE.
type ColumnDef struct {
	Pos
	Name       string
	Type       TypeName
	NotNull    bool
	PrimaryKey bool
	Default    Expr
	// DefaultText is the default's text as written.
	DefaultText string
}

// A CreateTableAs is CREATE TABLE name AS query.
type CreateTableAs struct {
	Pos
	IfNotExists bool
	Name        []string
	Columns     []string
	Query       *Select
}

// A CreateSchema is CREATE SCHEMA [IF NOT EXISTS] name.
type CreateSchema struct {
	Pos
	IfNotExists bool
	Name        string
}

// A CreateIndex is CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON table (…).
type CreateIndex struct {
	Pos
	Unique, IfNotExists bool
	Name                string
	Table               []string
	Columns             []SortBy
}

// A Drop is DROP kind [IF EXISTS] name, … [CASCADE | RESTRICT].
type Drop struct {
	Pos
	Kind     string // table, view, materialized view, source, index, schema
	IfExists bool
	Names    [][]string
	NamePos  []Pos
	Cascade  bool
}

// An Insert is INSERT INTO.
type Insert struct {
	Pos
	With      *With
	Table     *TableName
	Columns   []string
	ColumnPos []Pos
	Query     *Select // nil: DEFAULT VALUES
	Returning []Target
	Conflict  *OnConflict
}

// An OnConflict is ON CONFLICT … DO NOTHING | DO UPDATE.
type OnConflict struct {
	Pos
	Columns []string
	Update  []Assign // nil: DO NOTHING
	Where   Expr
}

// An Update is UPDATE … SET.
type Update struct {
	Pos
	With      *With
	Table     *TableName
	Set       []Assign
	From      []TableRef
	Where     Expr
	Returning []Target
}

// An Assign is column = value in SET.
type Assign struct {
	Pos
	Column string
	Value  Expr
}

// A Delete is DELETE FROM.
type Delete struct {
	Pos
	With      *With
	Table     *TableName
	Using     []TableRef
	Where     Expr
	Returning []Target
}

// A Truncate is TRUNCATE.
type Truncate struct {
	Pos
	Tables  []*TableName
	Cascade bool
}

// A Set is SET [LOCAL] name = values, SET … TO DEFAULT, or RESET name (Reset).
type Set struct {
	Pos
	Local  bool
	Name   string // lower case, with dots; "all" for RESET ALL; time zone is timezone
	Values []string
	Reset  bool
}

// A Show is SHOW name, or SHOW SOURCES, SHOW SECRETS, SHOW MATERIALIZED VIEWS, SHOW TABLES, … (What, lower case).
type Show struct {
	Pos
	What string
}

// A Transaction is BEGIN, START TRANSACTION, COMMIT, ROLLBACK, SAVEPOINT, …
type Transaction struct {
	Pos
	Kind  string // begin, commit, rollback, savepoint, release, rollback to, set transaction
	Name  string // of a savepoint
	Modes []string
	Chain bool
}

// An Explain is EXPLAIN [(options)] statement, EXPLAIN [MATERIALIZED] VIEW name.
type Explain struct {
	Pos
	Options []Option // analyze, verbose, stage = bind | normalize | physical, …
	Stmt    Statement
	View    []string // EXPLAIN MATERIALIZED VIEW name
}

// A Prepare is PREPARE name (types) AS statement.
type Prepare struct {
	Pos
	Name     string
	Types    []TypeName
	Stmt     Statement
	StmtText string
}

// An Execute is EXECUTE name (args).
type Execute struct {
	Pos
	Name string
	Args []Expr
}

// A Deallocate is DEALLOCATE name | ALL (Name "").
type Deallocate struct {
	Pos
	Name string
}

// A Discard is DISCARD ALL | PLANS | SEQUENCES | TEMP.
type Discard struct {
	Pos
	What string
}

// A Declare is DECLARE name CURSOR FOR query | SUBSCRIBE.
type Declare struct {
	Pos
	Name   string
	Binary bool
	Hold   bool
	Scroll *bool
	Stmt   Statement
}

// A Fetch is FETCH or MOVE direction count FROM cursor.
type Fetch struct {
	Pos
	Move      bool
	Direction string // next, prior, first, last, absolute, relative, forward, backward
	Count     int64
	All       bool
	Name      string
}

// A Close is CLOSE name | ALL (Name "").
type Close struct {
	Pos
	Name string
}

// A Copy is COPY table | (query) TO STDOUT | FROM STDIN.
type Copy struct {
	Pos
	Table   *TableName
	Columns []string
	Query   Statement
	From    bool
	Target  string // stdin, stdout, or a file or program: refused
	Options []Option
}

// A Subscribe is SUBSCRIBE [TO] name | (query) [WITH (…)] [AS OF tick].
type Subscribe struct {
	Pos
	Name    []string
	Query   *Select
	Options []Option
	AsOf    Expr
}

// A Query is a SELECT, VALUES or TABLE as a statement.
type Query struct {
	Pos
	Select *Select
}

// A Comment is COMMENT ON …; accepted and kept nowhere.
type Comment struct{ Pos }

// A Parsed is one statement of a string with its own text.
type Parsed struct {
	Stmt Statement
	Text string // the statement without its semicolon
	// Offset is how many characters of the string stand before Text: add it
	// to a position in Text for the position in the string.
	Offset  int
	NParams int
}
