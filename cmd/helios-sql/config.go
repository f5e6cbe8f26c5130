package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// A config is everything that can be set for serve. A setting's flag is
// --name, its environment variable HELIOS_NAME (dashes as underscores), its key in a
// configuration file name or its spelling with underscores. What is set by flag
// counts before the environment, that before the file, that before the default.
type config struct {
	Listen             string        `name:"listen" help:"address of the PostgreSQL protocol"`
	HTTP               string        `name:"http" help:"address of /metrics, /healthz and /readyz; empty: none"`
	DataDir            string        `name:"data-dir" help:"directory of the state"`
	Init               string        `name:"init" help:"file of SQL statements run at start"`
	Database           string        `name:"database" help:"name of the database that clients connect to"`
	Memory             string        `name:"memory" help:"memory budget of the state, such as 512MB"`
	MinFree            string        `name:"min-free" help:"free disk space below which nothing more is written, such as 1GB; empty: enough to end in order"`
	CheckpointInterval time.Duration `name:"checkpoint-interval" help:"longest time between two syncs"`
	Auth               string        `name:"auth" help:"trust, or scram-sha-256 with --password-file"`
	PasswordFile       string        `name:"password-file" help:"file of user:password lines"`
	MaxConnections     int           `name:"max-connections" help:"most client connections at once"`
	LogLevel           string        `name:"log-level" help:"debug, info, warn or error"`
	LogFormat          string        `name:"log-format" help:"text or json"`
}

func defaultConfig() config {
	return config{Listen: "127.0.0.1:5480", HTTP: "127.0.0.1:5481", DataDir: "./helios-data", Database: "helios", Memory: "512MB",
		CheckpointInterval: time.Second, Auth: "trust", MaxConnections: 200, LogLevel: "info", LogFormat: "text"}
}

// fields visits the settings by name.
func (c *config) fields(visit func(name, help string, v reflect.Value)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		visit(tag.Get("name"), tag.Get("help"), v.Field(i))
	}
}

// addFlags makes a flag of each setting; they write into c.
func (c *config) addFlags(fs *pflag.FlagSet) {
	c.fields(func(name, help string, v reflect.Value) {
		switch p := v.Addr().Interface().(type) {
		case *string:
			fs.StringVar(p, name, *p, help)
		case *int:
			fs.IntVar(p, name, *p, help)
		case *time.Duration:
			fs.DurationVar(p, name, *p, help)
		}
	})
}

// resolve fills in from the file and the environment what no flag has set.
func (c *config) resolve(fs *pflag.FlagSet, file string) error {
	values := map[string]string{}
	if file != "" {
		if err := readFile(file, values); err != nil {
			return err
		}
	}
	known := map[string]bool{}
	var err error
	c.fields(func(name, _ string, v reflect.Value) {
		known[name] = true
		env := "HELIOS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, ok := os.LookupEnv(env)
		from := env
		if !ok {
			value, ok = values[name]
			from = file + ": " + name
		}
		if !ok || fs.Changed(name) || err != nil {
			return
		}
		if e := setField(v, value); e != nil {
			err = fmt.Errorf("%s: %w", from, e)
		}
	})
	if err != nil {
		return err
	}
	for name := range values {
		if !known[name] {
			return fmt.Errorf("%s: unknown setting %q", file, name)
		}
	}
	return nil
}

func setField(v reflect.Value, value string) error {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = value
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 1s", value)
		}
		*p = d
	}
	return nil
}

// readFile reads a TOML or YAML file of settings, by its ending.
func readFile(path string, values map[string]string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	raw := map[string]any{}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".toml":
		err = toml.Unmarshal(data, &raw)
	case ".yaml", ".yml":
		err = yaml.NewDecoder(bytes.NewReader(data)).Decode(&raw)
	default:
		return fmt.Errorf("%s: a configuration file ends in .toml, .yaml or .yml", path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for k, v := range raw {
		switch v.(type) {
		case map[string]any, []any:
			return fmt.Errorf("%s: setting %q is not a single value", path, k)
		}
		values[strings.ReplaceAll(k, "_", "-")] = fmt.Sprint(v)
	}
	return nil
}

// parseBytes reads a size such as 512MB or 2GB (powers of 1024).
func parseBytes(s string) (int64, error) {
	t := strings.ToUpper(strings.TrimSpace(s))
	for _, u := range []struct {
		suffix string
		factor int64
	}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", 1 << 40}, {"B", 1}, {"", 1}} {
		if digits, ok := strings.CutSuffix(t, u.suffix); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			if err != nil || n < 0 || n > (1<<62)/u.factor {
				break
			}
			return n * u.factor, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size such as 512MB", s)
}
