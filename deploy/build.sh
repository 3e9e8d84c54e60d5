# Sourced by run and test: building with something to look at meanwhile. Not a command.
# Needs: $root (the checkout).

say() { printf '%s\n' "$*" >&2; }
stop() { say "error: $*"; exit 1; }

# As many compilers at once as processors and memory (1.5 GB each) allow; KEYPORTAL_JOBS decides otherwise.
jobs_that_fit() {
  local processors memory_kb fit
  processors=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  fit=$((memory_kb / 1500000))
  echo "${KEYPORTAL_JOBS:-$((fit < 1 ? 1 : fit < processors ? fit : processors))}"
}

# build PRESET TARGET… -- CMAKE-OPTION…
build() {
  local preset=$1 targets=() log=$root/build/$1.log
  shift
  while (($#)) && [[ $1 != -- ]]; do
    targets+=("$1")
    shift
  done
  (($#)) && shift
  mkdir -p "$root/build"
  if ! (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    stop "the build could not be configured; the whole story is in $log"
  fi
  local jobs
  jobs=$(jobs_that_fit)
  # [12/345] on one line in a terminal, else every now and then a line; the rest goes to the log.
  local on_terminal=0
  [[ -t 2 ]] && on_terminal=1
  if ! NINJA_STATUS='[%f/%t] ' cmake --build "$root/build/$preset" -j "$jobs" --target "${targets[@]}" 2>&1 |
    tee -a "$log" | awk -v terminal=$on_terminal -v jobs="$jobs" '
      match($0, /^\[[0-9]+\/[0-9]+\]/) {
        split(substr($0, 2, RLENGTH - 2), n, "/")
        if (terminal) printf "\r\033[Kbuilding %d of %d (%d at once)", n[1], n[2], jobs
        else if (n[1] == 1 || n[1] == n[2] || n[1] % 25 == 0) printf "building %d of %d\n", n[1], n[2]
        drawn = 1
        fflush()
      }
      /error:|^FAILED|undefined reference/ { print "\n" $0; fflush() }
      END { if (terminal && drawn) printf "\n" }' >&2; then
    stop "the build failed; the whole story is in $log"
  fi
}
