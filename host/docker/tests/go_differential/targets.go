package main

import (
	"encoding/json"
	"net/url"
	"path"
	"regexp"
	"strings"
)

type route struct {
	id, method string
	pattern    *regexp.Regexp
	names      []string
}

type target struct {
	Operation  string
	Version    string
	Path       string
	Parameters map[string]string
	Query      url.Values
}

var (
	routes    []route
	parameter = regexp.MustCompile(`\{(\w+)(?::([^}]*))?\}`)
)

// makeRoutes does what gorilla/mux does with the daemon's routes: each with a version first, then without.
func makeRoutes(table string) []route {
	var made []route
	header := true
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if header {
			header = false
			continue
		}
		columns := strings.Split(line, "\t")
		for _, version := range []string{"/v{version:[0-9.]+}", ""} {
			made = append(made, makeRoute(columns[0], columns[1], version+columns[2]))
		}
	}
	return made
}

func makeRoute(id, method, template string) route {
	made := route{id: id, method: method}
	pattern, end := "^", 0
	for _, at := range parameter.FindAllStringSubmatchIndex(template, -1) {
		of := "[^/]+"
		if at[4] >= 0 {
			of = template[at[4]:at[5]]
		}
		made.names = append(made.names, template[at[2]:at[3]])
		pattern += regexp.QuoteMeta(template[end:at[0]]) + "(" + of + ")"
		end = at[1]
	}
	made.pattern = regexp.MustCompile(pattern + regexp.QuoteMeta(template[end:]) + "$")
	return made
}

// readTarget answers what the daemon takes a target for.
func readTarget(method string, uri []byte) string {
	parsed, err := url.ParseRequestURI(string(uri))
	if err != nil || cleanPath(parsed.Path) != parsed.Path {
		return "-"
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return "-"
	}
	for _, route := range routes {
		if route.method != method {
			continue
		}
		if found := route.pattern.FindStringSubmatch(parsed.Path); found != nil {
			text, err := json.Marshal(route.target(parsed.Path, found[1:], query))
			check(err)
			return string(text)
		}
	}
	return "-"
}

func (r route) target(path string, values []string, query url.Values) target {
	made := target{Operation: r.id, Path: path, Parameters: map[string]string{}, Query: query}
	for i, name := range r.names {
		if name == "version" {
			made.Version = values[i]
			made.Path = strings.TrimPrefix(path, "/v"+values[i])
		} else {
			made.Parameters[name] = values[i]
		}
	}
	return made
}

// cleanPath is gorilla/mux's.
func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	if p[0] != '/' {
		p = "/" + p
	}
	clean := path.Clean(p)
	if p[len(p)-1] == '/' && clean != "/" {
		clean += "/"
	}
	return clean
}
