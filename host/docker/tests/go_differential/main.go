// Reads bodies or request targets as the Docker daemon does, with Go's own packages.
//
// Each line of the input is an operation's ID or a method, and a body or a target in base64. Each line of the output is
// what was read, as JSON, or `-` where the daemon refuses it. The arguments are `bodies` and data/bodies.json, or
// `targets` and data/operations.tsv.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Args[2])
	check(err)
	read := readTarget
	if os.Args[1] == "bodies" {
		check(json.Unmarshal(text, &schema))
		read = readBody
	} else {
		routes = makeRoutes(string(text))
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		name, encoded, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		input, err := base64.StdEncoding.DecodeString(encoded)
		check(err)
		fmt.Fprintln(out, read(name, input))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
