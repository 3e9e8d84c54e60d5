#!/usr/bin/env bash
# Checks what compilers and tests do not: format, names, who includes whom, the shape of text files.
#
#   .ci/check.sh           everything
#   .ci/check.sh --fast    without clang-tidy, which takes minutes
#   .ci/check.sh --fix     formats the sources first
# Needs clang-format and clang-tidy (apt-get install clang-format clang-tidy) and, for names, a configured build/release.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
fast=0 fix=0
for argument; do
  case $argument in
    --fast) fast=1 ;;
    --fix) fix=1 ;;
    *) echo "usage: .ci/check.sh [--fast] [--fix]" >&2; exit 2 ;;
  esac
done
failed=0
report() { echo "check: $1: $2"; [[ $2 == fine ]] || failed=1; }

mapfile -t sources < <(git ls-files '*.cpp' '*.hpp')
((fix)) && clang-format --style=file:.ci/clang-format -i "${sources[@]}"
# complain WHAT OUTPUT HINT: fine when the output is empty.
complain() {
  [[ -z $2 ]] || printf '%s\n' "$2" | head -n 40
  report "$1" "$([[ -z $2 ]] && echo fine || echo "$3")"
}
complain format "$(clang-format --style=file:.ci/clang-format --dry-run -Werror "${sources[@]}" 2>&1 |
  sed -n 's/^\([^:]*\):[0-9]*:.* error: .*/\1: not formatted/p' | uniq -c)" "run .ci/check.sh --fix"
complain includes "$(python3 .ci/includes.py)" "see above"
complain security "$(python3 .ci/named_tests.py)" "docs/security.md names a test that does not exist"

# One newline at the end, no blanks at line ends, no tabs in C++.
complain text "$(git ls-files | grep -vE '\.(png|ico)$|^tests/fuzz/corpus/' | while read -r file; do
  [[ -s $file ]] || continue
  [[ $(tail -c 1 "$file" | wc -l) == 1 ]] || echo "$file: no newline at its end"
  grep -nE '[[:blank:]]$' "$file" | sed "s|^\([0-9]*\):.*|$file:\1: blanks at the end|"
done
grep -nP '\t' "${sources[@]}" | sed 's/^\([^:]*:[0-9]*\):.*/\1: a tab/')" "see above"
for script in deploy/setup deploy/run deploy/test deploy/fuzz deploy/build.sh .ci/check.sh; do
  bash -n "$script" || report "$script" "is no shell script"
done

if ((!fast)); then
  if [[ ! -e build/release/compile_commands.json ]]; then
    report names "no build/release; run deploy/test first"
  else
    complain names "$(git ls-files '*.cpp' | grep -E '^(messages|config|storage|actors|gateway)/' |
      xargs -P "$(nproc)" -n 4 clang-tidy -p build/release --config-file=.ci/clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option 2>/dev/null |
      grep -E 'error:|warning:' | sort -u)" "see above"
  fi
fi
exit "$failed"
