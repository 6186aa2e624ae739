"""What `orca completion SHELL` prints.

The scripts know nothing of orca: they hand over the words typed so far and get one candidate per line,
so that an installed script never grows old.
"""

from __future__ import annotations

BASH = """\
# orca completion for bash: put `source <(orca completion bash)` into ~/.bashrc
_orca() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$(orca _complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" \\
        -- "${COMP_WORDS[COMP_CWORD]}"))
    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default
}
complete -F _orca orca
"""

ZSH = """\
#compdef orca
# orca completion for zsh: put `source <(orca completion zsh)` into ~/.zshrc, after compinit
_orca() {
    local -a candidates
    candidates=("${(@f)$(orca _complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${candidates[*]}" ]]; then
        compadd -a candidates
    else
        _files
    fi
}
compdef _orca orca
"""

FISH = """\
# orca completion for fish: orca completion fish > ~/.config/fish/completions/orca.fish
function __orca_complete
    set -l words (commandline -opc) (commandline -ct)
    orca _complete $words[2..-1] 2>/dev/null
end
complete -c orca -f -a '(__orca_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
