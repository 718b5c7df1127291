// Command minish is the shell of the tests: minish FILE.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"xtoo/internal/engine/enginetest/minish"
)

func main() {
	script, err := os.ReadFile(os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	os.Exit(minish.Run(string(script), world{}))
}

type world struct{}

func (world) Print(text string) { fmt.Print(text) }

func (world) Read(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

func (world) Write(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }
func (world) Remove(path string) error      { return os.Remove(path) }
func (world) Env(name string) string        { return os.Getenv(name) }
func (world) User() string                  { return strconv.Itoa(os.Getuid()) }

func (world) Dir() string {
	dir, err := os.Getwd()
	if err != nil {
		return err.Error()
	}
	return dir
}

func (world) Sleep(d time.Duration) error {
	time.Sleep(d)
	return nil
}
