package process

import (
	"errors"
	"fmt"

	"moongate/conf"
	"moongate/core/log"
)

// warn is the level of most complaints that do not stop a start.
const warn = log.Warn

// ErrorLogModule has the error_log directive of the main context
// (ngx_errlog_module).
var ErrorLogModule = &conf.Module{
	Name: "errlog",
	Directives: []conf.Directive{
		conf.Command("error_log", conf.Main, conf.OneMore, func(cf *conf.Conf) error {
			c := Of(cf.Cycle)
			out, err := c.LogOutput(cf)
			if err != nil {
				return err
			}
			c.outputs = append(c.outputs, out)
			return nil
		}),
	},
}

// LogOutput reads the error_log directive that cf is at, in whatever context.
func (c *Cycle) LogOutput(cf *conf.Conf) (*log.Output, error) {
	file, line := cf.Place()
	d := log.Directive{
		Value:    cf.Args[0],
		Levels:   cf.Args[1:],
		Position: fmt.Sprintf("%s:%d", file, line),
		Path:     cf.Cycle.Path,
		Size: func(text string) (int64, error) {
			n, ok := conf.ParseSize(text)
			if !ok {
				return 0, errors.New("invalid size")
			}
			return n, nil
		},
		Files:  &c.Files,
		Env:    c.logEnv,
		Report: c.Log,
	}
	out, err := d.Output()
	if err != nil {
		return nil, cf.Errorf("%s", err)
	}
	if d.Value == "stderr" {
		c.logsToStderr = true
	}
	return out, nil
}

// addDefaultLog makes sure that there is a log in a file
// (ngx_log_open_default).
func (c *Cycle) addDefaultLog() {
	for _, out := range c.outputs {
		if out.File() != nil {
			return
		}
	}
	name := c.options.ErrorLog
	if name != "" {
		name = c.Conf.Path(name)
	}
	c.outputs = append(c.outputs, log.NewFileOutput(c.Files.Add(name), log.Error))
}
