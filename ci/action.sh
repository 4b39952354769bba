#!/usr/bin/env bash
# What action.yml runs: install, check, comment. Words come from the environment; none of them is evaluated.
set -euo pipefail

MARK="<!-- model-contracts -->"
# GitHub takes comments of at most 65,536 characters.
LONGEST=60000

# The wheel of one release, or what a file with hashes pins: nothing is built from source.
install() {
  if [[ -n "${CONTRACTS_REQUIREMENTS:-}" ]]; then
    python -m pip install --only-binary :all: --require-hashes --requirement "$CONTRACTS_REQUIREMENTS"
  else
    python -m pip install --only-binary :all: "model-contracts${CONTRACTS_EXTRAS:+[$CONTRACTS_EXTRAS]}==$CONTRACTS_VERSION"
  fi
}

# What the branch is compared with: of a new branch there is nothing before, and its first commit stands for it.
base() {
  if [[ -z "${CONTRACTS_BASE:-}" || "$CONTRACTS_BASE" =~ ^0+$ ]]; then
    git rev-parse --verify --quiet HEAD^ || git rev-parse HEAD
  else
    echo "$CONTRACTS_BASE"
  fi
}

check() {
  local out="${RUNNER_TEMP:-/tmp}/model-contracts" code=0 token words=()
  rm -rf -- "$out" && mkdir -p -- "$out"
  read -r -a words <<< "${CONTRACTS_ARGUMENTS:-}" || true
  contracts check --changed-since="$(base)" -o "$out/evidence" --report "sarif=$out/contracts.sarif" \
    --report "summary=$out/summary.md" --report "github=$out/annotations.txt" ${words[@]+"${words[@]}"} > "$out/report.txt" || code=$?
  # What a model calls its tensors is not to be taken for a command of the runner.
  token="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  printf '::stop-commands::%s\n' "$token" && cat -- "$out/report.txt" && printf '::%s::\n' "$token"
  [[ ! -f "$out/annotations.txt" ]] || cat -- "$out/annotations.txt"
  [[ -f "$out/summary.md" ]] || { printf '```\n'; head -c 2000 -- "$out/report.txt"; printf '```\n'; } > "$out/summary.md"
  head -c 1000000 -- "$out/summary.md" >> "$GITHUB_STEP_SUMMARY"
  {
    echo "exit-code=$code"
    echo "evidence=$out/evidence"
    echo "summary=$out/summary.md"
    [[ ! -f "$out/contracts.sarif" ]] || echo "sarif=$out/contracts.sarif"
  } >> "$GITHUB_OUTPUT"
}

# One comment: the one that begins with the mark and is ours is written anew, else one is made.
comment() {
  local body mine
  body="$(mktemp)"
  { printf '%s\n' "$MARK"; head -c "$LONGEST" -- "$CONTRACTS_SUMMARY"; } > "$body"
  mine="$(gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$CONTRACTS_PULL_REQUEST/comments" \
    --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$MARK\"))) | .id" | head -n 1)"
  if [[ -n "$mine" ]]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" --field "body=@$body"
  else
    gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$CONTRACTS_PULL_REQUEST/comments" --field "body=@$body"
  fi
}

case "${1:-}" in
  install | check | comment) "$1" ;;
  *) echo "expected install, check or comment" >&2; exit 2 ;;
esac
