package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// ServerVersion is the PostgreSQL version whose behaviour we follow and that
// clients are told.
const ServerVersion = "15.0"

// VersionText is what version() says: clients look for the first word.
const VersionText = "PostgreSQL " + ServerVersion + " (helios-sql)"

// A setting is one run-time parameter (SET, SHOW).
type setting struct {
	def      string
	help     string
	report   bool // sent to the client as ParameterStatus
	readOnly bool
	// check gives the canonical spelling of a value, or an error.
	check func(string) (string, error)
}

// settings are all the parameters a session knows, by lower-case name; names
// of custom parameters (with a dot) are accepted too.
var settings = map[string]setting{
	"application_name":                    {report: true, help: "Name of the client application."},
	"bytea_output":                        {def: "hex", check: oneOf("hex"), help: "Output format of bytea."},
	"client_encoding":                     {def: "UTF8", report: true, check: utf8Only, help: "Encoding of the client."},
	"client_min_messages":                 {def: "notice", help: "Least severity of messages sent."},
	"datestyle":                           {def: "ISO, MDY", report: true, check: isoOnly, help: "Format of dates."},
	"default_transaction_isolation":       {def: "read committed", check: oneOf("read uncommitted", "read committed", "repeatable read"), help: "Isolation of new transactions."},
	"default_transaction_read_only":       {def: "off", report: true, check: boolean, help: "Whether new transactions are read-only."},
	"extra_float_digits":                  {def: "1", check: integer(-15, 3), help: "Digits of floats; 1 and more is exact."},
	"helios.min_lsn":                      {check: lsn, help: "Reads wait until this LSN of every source is in."},
	"helios.query_memory":                 {def: "268435456", check: integer(1<<20, 1<<40), help: "Bytes that one query may use."},
	"idle_in_transaction_session_timeout": {def: "0", check: duration, help: "Accepted and ignored."},
	"in_hot_standby":                      {def: "off", report: true, readOnly: true, help: "Always off."},
	"integer_datetimes":                   {def: "on", report: true, readOnly: true, help: "Always on."},
	"intervalstyle":                       {def: "postgres", report: true, check: oneOf("postgres"), help: "Format of intervals."},
	"is_superuser":                        {def: "on", report: true, readOnly: true, help: "Whether the user is a superuser."},
	"lock_timeout":                        {def: "0", check: duration, help: "Accepted and ignored: reads take no locks."},
	"max_identifier_length":               {def: "63", readOnly: true, help: "Longest identifier, bytes."},
	"row_security":                        {def: "on", check: boolean, help: "Accepted and ignored."},
	"search_path":                         {def: `"$user", public`, help: "Schemas searched for names."},
	"server_encoding":                     {def: "UTF8", report: true, readOnly: true, help: "Encoding of the store."},
	"server_version":                      {def: ServerVersion, report: true, readOnly: true, help: "PostgreSQL version that is followed."},
	"server_version_num":                  {def: "150000", readOnly: true, help: "The same as a number."},
	"session_authorization":               {report: true, readOnly: true, help: "The session's user."},
	"standard_conforming_strings":         {def: "on", report: true, check: oneOf("on"), help: "Always on."},
	"statement_timeout":                   {def: "0", check: duration, help: "Longest time of a statement."},
	"synchronous_commit":                  {def: "on", help: "Whether a commit waits for the disk."},
	"timezone":                            {def: "UTC", report: true, check: timeZone, help: "Time zone."},
	"transaction_isolation":               {def: "repeatable read", help: "Isolation of the transaction."},
	"transaction_read_only":               {def: "off", check: boolean, help: "Whether the transaction is read-only."},
}

// reportOrder lists the reported settings in the order PostgreSQL sends them.
var reportOrder = []string{"application_name", "client_encoding", "datestyle", "default_transaction_read_only", "in_hot_standby",
	"integer_datetimes", "intervalstyle", "is_superuser", "server_encoding", "server_version", "session_authorization",
	"standard_conforming_strings", "timezone"}

// reportedNames spells the names of reported settings as PostgreSQL does.
var reportedNames = map[string]string{
	"datestyle": "DateStyle", "intervalstyle": "IntervalStyle", "timezone": "TimeZone",
}

func displayName(name string) string {
	if n, ok := reportedNames[name]; ok {
		return n
	}
	return name
}

func invalidValue(value string) error {
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid value: %q", value)
}

func oneOf(values ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if slices.Contains(values, strings.ToLower(v)) {
			return strings.ToLower(v), nil
		}
		return "", pgerr.Newf(pgerr.FeatureNotSupported, "only %s is supported", strings.Join(values, ", "))
	}
}

func utf8Only(v string) (string, error) {
	switch strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(v, "-", ""), "_", "")) {
	case "utf8", "unicode":
		return "UTF8", nil
	case "sqlascii":
		return "SQL_ASCII", nil
	}
	return "", pgerr.Newf(pgerr.FeatureNotSupported, "client encoding %q is not supported", v).WithHint("Use UTF8.")
}

func isoOnly(v string) (string, error) {
	if first, _, _ := strings.Cut(v, ","); strings.EqualFold(strings.TrimSpace(first), "iso") || strings.EqualFold(v, "mdy") {
		return "ISO, MDY", nil
	}
	return "", pgerr.Newf(pgerr.FeatureNotSupported, "DateStyle %q is not supported", v).WithHint("Use ISO, MDY.")
}

func boolean(v string) (string, error) {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1", "t", "y":
		return "on", nil
	case "off", "false", "no", "0", "f", "n":
		return "off", nil
	}
	return "", pgerr.Newf(pgerr.InvalidParameterValue, "a Boolean value is required")
}

func integer(low, high int64) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return "", invalidValue(v)
		}
		if n < low || n > high {
			return "", pgerr.Newf(pgerr.InvalidParameterValue, "%d is outside the valid range (%d .. %d)", n, low, high)
		}
		return v, nil
	}
}

// duration checks a time in milliseconds or with one of PostgreSQL's units.
func duration(v string) (string, error) {
	if _, err := parseMillis(v); err != nil {
		return "", err
	}
	return v, nil
}

func parseMillis(v string) (time.Duration, error) {
	v = strings.TrimSpace(v)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
		return time.Duration(n) * time.Millisecond, nil
	}
	t := strings.ReplaceAll(strings.Replace(v, "min", "m", 1), " ", "")
	if days, ok := strings.CutSuffix(t, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil && n >= 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	if d, err := time.ParseDuration(t); err == nil && d >= 0 {
		return d, nil
	}
	return 0, invalidValue(v)
}

func timeZone(v string) (string, error) {
	if strings.EqualFold(v, "utc") || strings.EqualFold(v, "gmt") {
		return strings.ToUpper(v), nil
	}
	if _, err := loadZone(v); err != nil {
		return "", pgerr.Newf(pgerr.InvalidParameterValue, "invalid value for parameter %q: %q", "TimeZone", v)
	}
	return v, nil
}

// loadZone finds a zone by IANA name or as hours east of UTC, as SET TIME ZONE takes it.
func loadZone(v string) (*time.Location, error) {
	if h, err := strconv.ParseFloat(v, 64); err == nil && h > -24 && h < 24 {
		return time.FixedZone(fmt.Sprintf("<%+03d>%+03d", int(h), int(-h)), int(h*3600)), nil
	}
	if v == "" || strings.EqualFold(v, "local") {
		return nil, fmt.Errorf("no zone")
	}
	return time.LoadLocation(v)
}

func lsn(v string) (string, error) {
	if v == "" {
		return v, nil
	}
	if _, err := connectors.ParseLSN(v); err != nil {
		return "", err
	}
	return v, nil
}

// A vars holds a session's values of settings that are not the default.
type vars struct {
	values   map[string]string
	defaults map[string]string // from the startup message
}

func newVars() *vars {
	return &vars{values: map[string]string{}, defaults: map[string]string{}}
}

// get gives a setting's value. 42704 if there is none of that name.
func (v *vars) get(name string) (string, error) {
	if s, ok := v.values[name]; ok {
		return s, nil
	}
	if s, ok := v.defaults[name]; ok {
		return s, nil
	}
	if s, ok := settings[name]; ok {
		return s.def, nil
	}
	return "", pgerr.Newf(pgerr.UndefinedObject, "unrecognized configuration parameter %q", name)
}

// must gives the value of a setting that is known to exist.
func (v *vars) must(name string) string {
	s, _ := v.get(name)
	return s
}

// set changes a setting, after checking it.
func (v *vars) set(name, value string) error {
	s, ok := settings[name]
	if !ok {
		if !strings.Contains(name, ".") {
			return pgerr.Newf(pgerr.UndefinedObject, "unrecognized configuration parameter %q", name)
		}
		v.put(name, value)
		return nil
	}
	if s.readOnly {
		return pgerr.Newf(pgerr.CantChangeRuntimeParam, "parameter %q cannot be changed", displayName(name))
	}
	if s.check != nil {
		c, err := s.check(value)
		if err != nil {
			return fmt.Errorf("parameter %q: %w", displayName(name), err)
		}
		value = c
	}
	v.put(name, value)
	return nil
}

// put replaces the map: those who hold the one before, to go back to it, keep
// it as it was.
func (v *vars) put(name, value string) {
	v.values = maps.Clone(v.values)
	v.values[name] = value
}

// reset goes back to the default; "all" for all settings.
func (v *vars) reset(name string) error {
	if name == "all" {
		v.values = map[string]string{}
		return nil
	}
	if _, err := v.get(name); err != nil {
		return err
	}
	v.values = maps.Clone(v.values)
	delete(v.values, name)
	return nil
}

// searchPath gives the schemas to search.
func (v *vars) searchPath(user string) []string {
	var out []string
	for _, p := range strings.Split(v.must("search_path"), ",") {
		p = strings.TrimSpace(p)
		if q, ok := strings.CutPrefix(p, `"`); ok {
			p = strings.TrimSuffix(q, `"`)
		}
		if p == "$user" {
			if p = user; userSchema(p) != nil {
				continue // a user called helios does not mean our own schema
			}
		}
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
