// Package pgerr puts an SQLSTATE, and where it is known the position in the
// user's text, on an error. Classes and names follow appendix A of the
// PostgreSQL manual ("PostgreSQL Error Codes").
package pgerr

import (
	"errors"
	"fmt"
)

// A Code is a five-character SQLSTATE.
type Code string

// The codes the product raises, by PostgreSQL's condition names.
const (
	SuccessfulCompletion       Code = "00000"
	Warning                    Code = "01000"
	ConnectionException        Code = "08000"
	ConnectionFailure          Code = "08006"
	SQLClientCannotConnect     Code = "08001"
	ProtocolViolation          Code = "08P01"
	FeatureNotSupported        Code = "0A000"
	CardinalityViolation       Code = "21000"
	DataException              Code = "22000"
	StringDataRightTruncation  Code = "22001"
	NumericValueOutOfRange     Code = "22003"
	InvalidDatetimeFormat      Code = "22007"
	DatetimeFieldOverflow      Code = "22008"
	SubstringError             Code = "22011"
	DivisionByZero             Code = "22012"
	IntervalFieldOverflow      Code = "22015"
	InvalidArgumentForLog      Code = "2201E"
	InvalidArgumentForPower    Code = "2201F"
	InvalidRowCountInLimit     Code = "2201W"
	InvalidRowCountInOffset    Code = "2201X"
	InvalidArgumentForWidth    Code = "2201G"
	InvalidRegularExpression   Code = "2201B"
	CharacterNotInRepertoire   Code = "22021"
	InvalidParameterValue      Code = "22023"
	InvalidEscapeSequence      Code = "22025"
	InvalidTextRepresentation  Code = "22P02"
	InvalidBinaryRepresent     Code = "22P03"
	BadCopyFileFormat          Code = "22P04"
	UntranslatableCharacter    Code = "22P05"
	NotNullViolation           Code = "23502"
	UniqueViolation            Code = "23505"
	CheckViolation             Code = "23514"
	InvalidCursorState         Code = "24000"
	InvalidTransactionState    Code = "25000"
	ActiveSQLTransaction       Code = "25001"
	ReadOnlySQLTransaction     Code = "25006"
	NoActiveSQLTransaction     Code = "25P01"
	InFailedSQLTransaction     Code = "25P02"
	InvalidSQLStatementName    Code = "26000"
	InvalidAuthorization       Code = "28000"
	InvalidPassword            Code = "28P01"
	DependentObjectsStillExist Code = "2BP01"
	InvalidCursorName          Code = "34000"
	InvalidCatalogName         Code = "3D000"
	InvalidSchemaName          Code = "3F000"
	SerializationFailure       Code = "40001"
	StatementCompletionUnknown Code = "40003"
	InsufficientPrivilege      Code = "42501"
	SyntaxError                Code = "42601"
	InvalidName                Code = "42602"
	NameTooLong                Code = "42622"
	DuplicateColumn            Code = "42701"
	AmbiguousColumn            Code = "42702"
	UndefinedColumn            Code = "42703"
	UndefinedObject            Code = "42704"
	DuplicateObject            Code = "42710"
	DuplicateAlias             Code = "42712"
	AmbiguousFunction          Code = "42725"
	GroupingError              Code = "42803"
	DatatypeMismatch           Code = "42804"
	WrongObjectType            Code = "42809"
	InvalidForeignKey          Code = "42830"
	CannotCoerce               Code = "42846"
	UndefinedFunction          Code = "42883"
	ReservedName               Code = "42939"
	UndefinedTable             Code = "42P01"
	UndefinedParameter         Code = "42P02"
	DuplicateCursor            Code = "42P03"
	DuplicateDatabase          Code = "42P04"
	DuplicatePreparedStatement Code = "42P05"
	DuplicateSchema            Code = "42P06"
	DuplicateTable             Code = "42P07"
	AmbiguousParameter         Code = "42P08"
	InvalidColumnReference     Code = "42P10"
	InvalidTableDefinition     Code = "42P16"
	IndeterminateDatatype      Code = "42P18"
	InvalidRecursion           Code = "42P19"
	WindowingError             Code = "42P20"
	CollationMismatch          Code = "42P21"
	IndeterminateCollation     Code = "42P22"
	InsufficientResources      Code = "53000"
	DiskFull                   Code = "53100"
	OutOfMemory                Code = "53200"
	TooManyConnections         Code = "53300"
	ConfigurationLimitExceeded Code = "53400"
	ProgramLimitExceeded       Code = "54000"
	StatementTooComplex        Code = "54001"
	TooManyColumns             Code = "54011"
	TooManyArguments           Code = "54023"
	ObjectNotInPrerequisite    Code = "55000"
	ObjectInUse                Code = "55006"
	CantChangeRuntimeParam     Code = "55P02"
	LockNotAvailable           Code = "55P03"
	QueryCanceled              Code = "57014"
	AdminShutdown              Code = "57P01"
	CannotConnectNow           Code = "57P03"
	SystemError                Code = "58000"
	IOError                    Code = "58030"
	UndefinedFile              Code = "58P01"
	ConfigFileError            Code = "F0000"
	FDWError                   Code = "HV000"
	InternalError              Code = "XX000"
	DataCorrupted              Code = "XX001"
	IndexCorrupted             Code = "XX002"
)

// An Error is what a client sees of a failure: the fields of PostgreSQL's
// ErrorResponse that we fill.
type Error struct {
	Severity string // "" means ERROR
	Code     Code
	Message  string
	Detail   string
	Hint     string
	Where    string // the context of the error, such as a line of COPY's data
	Position int    // 1-based, in characters of the statement's text; 0: unknown
	Cause    error
}

// Error gives the message alone; the code is a field.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, if the error was made from another.
func (e *Error) Unwrap() error { return e.Cause }

// Newf makes an error with a code and a message in PostgreSQL's style. A %w
// in the format keeps its operand as the cause.
func Newf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Unsupported is a 0A000 that names the feature and where it stands.
func Unsupported(pos int, format string, args ...any) *Error {
	return &Error{Code: FeatureNotSupported, Message: fmt.Sprintf(format, args...) + " is not supported", Position: pos}
}

// At sets the position and returns the error.
func (e *Error) At(pos int) *Error { e.Position = pos; return e }

// WithHint sets the hint and returns the error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the detail and returns the error.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// CodeOf gives the SQLSTATE of the first *Error in the chain; InternalError
// where there is none, SuccessfulCompletion for nil.
func CodeOf(err error) Code {
	if err == nil {
		return SuccessfulCompletion
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return InternalError
}

// Flatten turns any error into the one that is sent to a client: the chain's
// *Error with the whole chain's text as its message. Called once, in wire.
func Flatten(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Code: InternalError, Message: err.Error(), Cause: err}
	}
	out := *e
	out.Message = err.Error()
	return &out
}
