"""The base model's tokenizer: words, single digits, bytes for all else, role tokens, and a chat template that keeps
thoughts.

Byte level, so decoding gives back any text in Unicode's NFC form exactly, newlines included.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
THINK, END_THINK = "<think>", "</think>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}<|user|>{{ message['content'] }}"
    "{%- elif message['role'] == 'assistant' -%}<|assistant|>{{ message['content'] }}<|end|>"
    "{%- else -%}{{ raise_exception('only user and assistant turns: this model has no other role') }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
# The number of a list's item; a word with the space or sign before it; a digit; signs with the line ends after them;
# line ends; spaces. A space before a digit belongs to the piece before it: a digit is one token wherever it stands, and
# sums are a tenth shorter. Were an item's number a digit, a model that learns to cite "rule 1 (" would go on with "("
# in its lists too.
PIECE = (
    r"(?<=\n)\p{N}\.(?= )|[^\r\n\p{L}\p{N}]?\p{L}+(?: (?=\p{N}))?|\p{N}| ?[^\s\p{L}\p{N}]+(?: (?=\p{N}))?[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build_tokenizer(texts: Iterable[str]) -> "PreTrainedTokenizerFast":
    """Return the transformers tokenizer, with the chat template, whose tokens are the 256 bytes and the words of the
    texts.

    It is byte-pair encoding without merges: a word of the texts is one token, any other is spelled in bytes. A trained
    one has another 1,200 tokens here, merges on the way to a word, which no text holds.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    words = sorted({piece for text in set(texts) for piece, _ in split.pre_tokenize_str(text) if len(piece) > 1})
    # As in DeepSeek-R1's tokenizer the think tokens are not "special": decoding with skip_special_tokens keeps the
    # thought's borders.
    special, think = [PAD, END, USER, ASSISTANT], [AddedToken(word, normalized=False) for word in (THINK, END_THINK)]
    tokens = [*special, THINK, END_THINK, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    backend = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, [], ignore_merges=True))
    backend.normalizer, backend.pre_tokenizer, backend.decoder = normalizers.NFC(), split, decoders.ByteLevel()
    backend.add_special_tokens(special)
    backend.add_tokens(think)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token=PAD,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
