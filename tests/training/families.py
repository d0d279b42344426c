"""Tiny tokenizers whose chat templates are built as those of the model families are, in wordings of our own."""

from dataclasses import dataclass
from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Family:
    """What sets a family's tokenizer apart: `roles` are tokens of the template that are not "special"."""

    template: str
    bos: str | None
    eos: str
    adds_bos: bool = False
    special: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    composes: bool = False  # Unicode, to NFC


# BOS from the template and from the tokenizer; an assistant's turn loses its thought; roles and tags are plain tokens.
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}{% else %}"
    "<|Assistant|>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|>OPENING{% endif %}"
)
R1_TOKENS = ("<|User|>", "<|Assistant|>", "<think>", "</think>")
BEGIN, END = "<|begin▁of▁sentence|>", "<|end▁of▁sentence|>"
# No BOS at all; a system turn of its own; the end of a turn, which is EOS, stands in the prompt too.
QWEN = (
    "<|im_start|>system\nBe of help.<|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# BOS from both, turns trimmed.
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}"
    "<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# BOS from the tokenizer alone; turns end with a token that is not EOS.
OTHER = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}<|turn|>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
FAMILIES = {
    "r1": Family(R1.replace("OPENING", ""), BEGIN, END, adds_bos=True, roles=R1_TOKENS),
    "r1-opens": Family(R1.replace("OPENING", "<think>\n"), BEGIN, END, adds_bos=True, roles=R1_TOKENS),
    "r1-opens-bare": Family(R1.replace("OPENING", "<think>"), BEGIN, END, adds_bos=True, roles=R1_TOKENS),
    "qwen-instruct": Family(QWEN, None, "<|im_end|>", special=("<|im_start|>",), composes=True),
    "llama-instruct": Family(
        LLAMA, "<|begin|>", "<|eot_id|>", adds_bos=True, special=("<|start_header_id|>", "<|end_header_id|>")
    ),
    "other": Family(OTHER, "<s>", "</s>", adds_bos=True, special=("<|turn|>",)),
}


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    """Return the family's tokenizer: a token a byte, and its special ones."""
    family = FAMILIES[name]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    if family.composes:
        raw.normalizer = normalizers.NFC()
    raw.add_special_tokens([token for token in (family.bos, family.eos, *family.special) if token])
    raw.add_tokens([AddedToken(token, normalized=False, special=False) for token in family.roles])
    if family.adds_bos:
        raw.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, raw.token_to_id(family.bos))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token=family.bos, eos_token=family.eos)
    tokenizer.chat_template = family.template
    return tokenizer
