// Mux says what Go's http.ServeMux makes of patterns and requests.
//
// Each line of standard input is a JSON object {"patterns": [...], "requests": [{"method", "host", "path"}]}. Each
// line of output is {"patterns": [...], "requests": [...]}: of every pattern "ok", "invalid" or "conflict",
// of every request "200 PATTERN NAME=VALUE ...", "404", "405 ALLOW" or "STATUS -> LOCATION".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
)

type request struct{ Method, Host, Path string }

type question struct {
	Patterns []string
	Requests []request
}

type answer struct {
	Patterns []string `json:"patterns"`
	Requests []string `json:"requests"`
}

var wildcard = regexp.MustCompile(`\{([^}$]*?)(\.\.\.)?\}`)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		out.Encode(answerTo(asked))
	}
}

func answerTo(asked question) answer {
	said := answer{Patterns: []string{}, Requests: []string{}}
	mux := http.NewServeMux()
	for _, pattern := range asked.Patterns {
		said.Patterns = append(said.Patterns, register(mux, pattern))
	}
	for _, request := range asked.Requests {
		said.Requests = append(said.Requests, ask(mux, request))
	}
	return said
}

func register(mux *http.ServeMux, pattern string) (outcome string) {
	defer func() {
		if refusal := recover(); refusal != nil {
			outcome = "invalid"
			// With several, it names now one, now another.
			if strings.Contains(fmt.Sprint(refusal), "conflicts with pattern") {
				outcome = "conflict"
			}
		}
	}()
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Pattern)
		for _, name := range wildcard.FindAllStringSubmatch(r.Pattern, -1) {
			fmt.Fprintf(w, " %s=%s", name[1], r.PathValue(name[1]))
		}
	})
	return "ok"
}

func ask(mux *http.ServeMux, asked request) string {
	target := asked.Path
	if asked.Method == "CONNECT" && !strings.HasPrefix(target, "/") {
		target = asked.Host
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		asked.Method + " " + target + " HTTP/1.1\r\nHost: " + asked.Host + "\r\n\r\n")))
	if err != nil {
		return "400"
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	switch {
	case w.Code == 200:
		return "200 " + w.Body.String()
	case w.Code == 405:
		return "405 " + w.Header().Get("Allow")
	case w.Header().Get("Location") != "":
		return fmt.Sprintf("%d -> %s", w.Code, w.Header().Get("Location"))
	}
	return fmt.Sprint(w.Code)
}
