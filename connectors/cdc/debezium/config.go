package debezium

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/connectors/cdc"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Connector is a connector's configuration in Debezium's property names.
type Connector struct{ properties map[string]string }

// Postgres begins a configuration.
func Postgres(host string, port int, user, password, database string) *Connector {
	return &Connector{map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput",
		"database.hostname": host, "database.port": strconv.Itoa(port), "database.user": user, "database.password": password, "database.dbname": database,
	}}
}

// With sets a property.
func (c *Connector) With(property, value string) *Connector {
	c.properties[property] = value
	return c
}

// WithTables sets table.include.list: names such as public.users.
func (c *Connector) WithTables(tables ...string) *Connector {
	return c.With("table.include.list", strings.Join(tables, ","))
}

// WithSlot sets slot.name, WithPublication publication.name.
func (c *Connector) WithSlot(name string) *Connector { return c.With("slot.name", name) }

// WithPublication is described with WithSlot.
func (c *Connector) WithPublication(name string) *Connector { return c.With("publication.name", name) }

// WithSnapshotMode sets snapshot.mode.
func (c *Connector) WithSnapshotMode(mode string) *Connector { return c.With("snapshot.mode", mode) }

// WithName sets topic.prefix.
func (c *Connector) WithName(prefix string) *Connector { return c.With("topic.prefix", prefix) }

// Get gives a property, "" if it is not set.
func (c *Connector) Get(property string) string { return c.properties[property] }

// A setter reads a property into what it configures.
type setter func(s *settings, value string) error

type settings struct {
	cfg  cdc.Config
	opts Options
	conn url.Values
}

func ignored(*settings, string) error { return nil }

func only(allowed ...string) setter {
	return func(_ *settings, v string) error {
		if !slices.Contains(allowed, v) {
			return pgerr.Newf(pgerr.FeatureNotSupported, "%q is not supported", v).WithHint("Supported is %s.", strings.Join(allowed, ", "))
		}
		return nil
	}
}

func option(name string) setter {
	return func(s *settings, v string) error { s.conn.Set(name, v); return nil }
}

func word(at func(*settings) *string) setter {
	return func(s *settings, v string) error { *at(s) = v; return nil }
}

func millis(at func(*settings) *time.Duration) setter {
	return func(s *settings, v string) error {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return pgerr.Newf(pgerr.InvalidParameterValue, "%q is not a number of milliseconds", v)
		}
		*at(s) = time.Duration(n) * time.Millisecond
		return nil
	}
}

func flag(at func(*settings) *bool, is bool) setter {
	return func(s *settings, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return pgerr.Newf(pgerr.InvalidParameterValue, "%q is neither true nor false", v)
		}
		*at(s) = b == is
		return nil
	}
}

// names reads a list of expressions that must be plain names.
func names(v string) ([]string, error) {
	var list []string
	for name := range strings.SplitSeq(v, ",") {
		name = strings.ReplaceAll(strings.TrimSpace(name), `\.`, ".")
		if name == "" || strings.ContainsAny(name, `*+?[](){}|^$\`) {
			return nil, pgerr.Newf(pgerr.FeatureNotSupported, "regular expression %q is not supported", name).WithHint("List the names themselves.")
		}
		list = append(list, name)
	}
	return list, nil
}

var snapshotModes = map[string]cdc.SnapshotMode{"always": cdc.SnapshotAlways, "initial": cdc.SnapshotInitial, "initial_only": cdc.SnapshotInitialOnly,
	"never": cdc.SnapshotNever, "no_data": cdc.SnapshotNever, "when_needed": cdc.SnapshotWhenNeeded}

var setters = map[string]setter{
	"connector.class": only("io.debezium.connector.postgresql.PostgresConnector"), "plugin.name": only("pgoutput"),
	"name": ignored, "tasks.max": ignored, "key.converter": ignored, "value.converter": ignored, "key.converter.schemas.enable": ignored,
	"value.converter.schemas.enable": flag(func(s *settings) *bool { return &s.opts.Schemas }, true),
	"database.hostname":              ignored, "database.port": ignored, "database.user": ignored, "database.password": ignored, "database.dbname": ignored,
	"database.sslmode": option("sslmode"), "database.sslcert": option("sslcert"), "database.sslkey": option("sslkey"), "database.sslrootcert": option("sslrootcert"),
	"topic.prefix":                word(func(s *settings) *string { return &s.opts.Name }),
	"slot.name":                   word(func(s *settings) *string { return &s.cfg.SlotName }),
	"publication.name":            word(func(s *settings) *string { return &s.cfg.PublicationName }),
	"publication.autocreate.mode": only("filtered"), "slot.drop.on.stop": only("false"), "include.schema.changes": ignored,
	"table.include.list": func(s *settings, v string) error {
		list, err := names(v)
		for _, name := range list {
			schema, table, ok := strings.Cut(name, ".")
			if !ok {
				return pgerr.Newf(pgerr.InvalidParameterValue, "%q is not schema.table", name)
			}
			s.cfg.TableSpecs = append(s.cfg.TableSpecs, cdc.TableSpec{Schema: schema, Name: table})
		}
		return err
	},
	"schema.include.list": func(s *settings, v string) (err error) { s.cfg.Schemas, err = names(v); return err },
	"snapshot.mode": func(s *settings, v string) error {
		m, ok := snapshotModes[v]
		if !ok {
			return pgerr.Newf(pgerr.FeatureNotSupported, "%q is not supported", v).WithHint("Supported are %s.", strings.Join(slices.Sorted(maps.Keys(snapshotModes)), ", "))
		}
		s.cfg.SnapshotMode = m
		return nil
	},
	"slot.failover":             flag(func(s *settings) *bool { return &s.cfg.Failover }, true),
	"heartbeat.action.query":    word(func(s *settings) *string { return &s.cfg.HeartbeatQuery }),
	"heartbeat.interval.ms":     millis(func(s *settings) *time.Duration { return &s.cfg.HeartbeatInterval }),
	"poll.interval.ms":          millis(func(s *settings) *time.Duration { return &s.cfg.PollInterval }),
	"status.update.interval.ms": millis(func(s *settings) *time.Duration { return &s.cfg.CheckpointInterval }),
	"max.queue.size": func(s *settings, v string) error {
		n, err := strconv.ParseInt(v, 10, 31)
		if err != nil || n < 1 {
			return pgerr.Newf(pgerr.InvalidParameterValue, "%q is not a positive number", v)
		}
		s.cfg.BufferSize = int(n)
		return nil
	},
	"decimal.handling.mode":         word(func(s *settings) *string { return &s.opts.DecimalMode }),
	"time.precision.mode":           word(func(s *settings) *string { return &s.opts.TimeMode }),
	"binary.handling.mode":          word(func(s *settings) *string { return &s.opts.BinaryMode }),
	"interval.handling.mode":        word(func(s *settings) *string { return &s.opts.IntervalMode }),
	"hstore.handling.mode":          word(func(s *settings) *string { return &s.opts.HstoreMode }),
	"unavailable.value.placeholder": word(func(s *settings) *string { return &s.opts.Placeholder }),
	"tombstones.on.delete":          flag(func(s *settings) *bool { return &s.opts.NoTombstones }, false),
	"provide.transaction.metadata":  flag(func(s *settings) *bool { return &s.opts.TransactionMetadata }, true),
}

func (c *Connector) settings() (*settings, error) {
	s := &settings{conn: url.Values{}}
	s.cfg.SlotName, s.cfg.PublicationName = "debezium", "dbz_publication" // Debezium's defaults
	s.cfg.PollInterval = 500 * time.Millisecond
	s.opts.Database = c.Get("database.dbname")
	for _, p := range slices.Sorted(maps.Keys(c.properties)) {
		set := setters[p]
		if set == nil {
			return nil, pgerr.Newf(pgerr.FeatureNotSupported, "property %q is not supported", p).
				WithHint("Supported are: %s.", strings.Join(slices.Sorted(maps.Keys(setters)), ", "))
		}
		if err := set(s, c.properties[p]); err != nil {
			return nil, fmt.Errorf("property %q: %w", p, err)
		}
	}
	if len(s.cfg.TableSpecs) == 0 && len(s.cfg.Schemas) == 0 {
		s.cfg.AllTables = true
	} else if len(s.cfg.TableSpecs) > 0 {
		s.cfg.Schemas = nil
	}
	host, port := c.Get("database.hostname"), c.Get("database.port")
	if port == "" {
		port = "5432"
	}
	u := url.URL{Scheme: "postgres", Host: host + ":" + port, Path: "/" + s.opts.Database, RawQuery: s.conn.Encode()}
	if strings.HasPrefix(host, "/") { // a socket's directory
		s.conn.Set("host", host)
		s.conn.Set("port", port)
		u.Host, u.RawQuery = "", s.conn.Encode()
	} else if strings.Contains(host, ":") {
		u.Host = "[" + host + "]:" + port
	}
	u.User = url.User(c.Get("database.user"))
	if p := c.Get("database.password"); p != "" {
		u.User = url.UserPassword(c.Get("database.user"), p)
	}
	s.cfg.ConnectionString = u.String()
	s.cfg.TransactionEvents = s.opts.TransactionMetadata
	return s, s.opts.normalize()
}

// Validate checks the properties: what is unknown, or known to Debezium and
// not followed here, is an error that names it.
func (c *Connector) Validate() error {
	_, err := c.settings()
	return err
}

// Config gives a source's configuration; of properties that do not Validate,
// one that NewSource refuses.
func (c *Connector) Config() cdc.Config {
	s, err := c.settings()
	if err != nil {
		return cdc.Config{}
	}
	return s.cfg
}

// Options gives a serializer's.
func (c *Connector) Options() (Options, error) {
	s, err := c.settings()
	if err != nil {
		return Options{}, err
	}
	return s.opts, nil
}

// FromConfig gives the properties of a source's configuration, as far as there
// are such.
func FromConfig(cfg cdc.Config) (*Connector, error) {
	u, err := url.Parse(cfg.ConnectionString)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, pgerr.Newf(pgerr.InvalidParameterValue, "the connection string is no URI")
	}
	port, _ := strconv.Atoi(u.Port())
	if port == 0 {
		port = 5432
	}
	host, q := u.Hostname(), u.Query()
	if h := q.Get("host"); h != "" {
		host = h
	}
	if p, err := strconv.Atoi(q.Get("port")); err == nil {
		port = p
	}
	password, _ := u.User.Password()
	c := Postgres(host, port, u.User.Username(), password, strings.TrimPrefix(u.Path, "/"))
	for _, o := range []string{"sslmode", "sslcert", "sslkey", "sslrootcert"} {
		if v := q.Get(o); v != "" {
			c.With("database."+o, v)
		}
	}
	specs := slices.Clone(cfg.TableSpecs)
	for _, name := range cfg.Tables {
		t, err := cdc.ParseTable(name)
		if err != nil {
			return nil, err
		}
		specs = append(specs, t)
	}
	var list []string
	for _, t := range specs {
		if len(t.Columns) > 0 {
			return nil, pgerr.Newf(pgerr.FeatureNotSupported, "the list of columns of table %s has no property here", t)
		}
		list = append(list, t.Schema+"."+t.Name)
	}
	set := func(p, v string) {
		if v != "" {
			c.With(p, v)
		}
	}
	set("table.include.list", strings.Join(list, ","))
	set("schema.include.list", strings.Join(cfg.Schemas, ","))
	set("slot.name", cfg.SlotName)
	set("publication.name", cfg.PublicationName)
	set("snapshot.mode", string(cfg.SnapshotMode))
	ms := func(p string, d time.Duration) {
		if d > 0 {
			c.With(p, strconv.FormatInt(d.Milliseconds(), 10))
		}
	}
	if cfg.Failover {
		c.With("slot.failover", "true")
	}
	ms("heartbeat.interval.ms", cfg.HeartbeatInterval)
	set("heartbeat.action.query", cfg.HeartbeatQuery)
	ms("poll.interval.ms", cfg.PollInterval)
	ms("status.update.interval.ms", cfg.CheckpointInterval)
	if cfg.BufferSize > 0 {
		c.With("max.queue.size", strconv.Itoa(cfg.BufferSize))
	}
	if cfg.TransactionEvents {
		c.With("provide.transaction.metadata", "true")
	}
	return c, c.Validate()
}

// MarshalJSON writes {"name": …, "config": {…}} as Kafka Connect takes it if
// there is a name, else the properties alone.
func (c *Connector) MarshalJSON() ([]byte, error) {
	name := c.Get("name")
	if name == "" {
		return json.Marshal(c.properties)
	}
	config := maps.Clone(c.properties)
	delete(config, "name")
	return json.Marshal(map[string]any{"name": name, "config": config})
}

// UnmarshalJSON reads both forms, and checks the properties.
func (c *Connector) UnmarshalJSON(data []byte) error {
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	name, _ := raw["name"].(string)
	if inner, ok := raw["config"].(map[string]any); ok {
		raw = inner
	}
	read := &Connector{map[string]string{}}
	for k, v := range raw {
		switch v := v.(type) {
		case string:
			read.properties[k] = v
		case bool:
			read.properties[k] = strconv.FormatBool(v)
		case float64:
			read.properties[k] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			return pgerr.Newf(pgerr.InvalidParameterValue, "property %q is no text, number or boolean", k)
		}
	}
	if name != "" {
		read.properties["name"] = name
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*c = *read
	return nil
}

// Properties writes the form of .properties files, sorted.
func (c *Connector) Properties() string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(c.properties)) {
		v := escape.Replace(c.properties[k])
		if strings.HasPrefix(v, " ") {
			v = `\` + v
		}
		fmt.Fprintf(&b, "%s=%s\n", k, v)
	}
	return b.String()
}

// ParseProperties reads a .properties file: comments (# and !), = or :
// between name and value, lines continued with \, escapes.
func ParseProperties(text string) (*Connector, error) {
	c := &Connector{map[string]string{}}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		at := strings.IndexAny(line, "=: \t")
		if at < 1 {
			return nil, pgerr.Newf(pgerr.ConfigFileError, "line %d is not name=value", i+1)
		}
		value := strings.TrimLeft(line[at:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		c.properties[line[:at]] = unescape(value)
	}
	return c, c.Validate()
}

// continued reports whether a line ends with an odd number of backslashes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'u':
			if r, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16); err == nil {
				b.WriteRune(rune(r))
				i += 4
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
