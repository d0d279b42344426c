"""The base model's tokenizer: byte-level BPE with single digits, role tokens, and a chat template that keeps thoughts.

Byte level, so decoding gives back any text in Unicode's NFC form exactly, newlines included. Words of the miniature
world are one token each.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import Qwen2Tokenizer

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


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "Qwen2Tokenizer":
    """Learn at most `vocabulary` tokens from the texts and return the transformers tokenizer with the chat template.

    It is a Qwen2Tokenizer with Qwen2's own splitting rule, because transformers loads the tokenizer of any model of
    type qwen2 as that class, whatever class was saved.
    """
    from tokenizers import AddedToken, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    # An untrained one splits text as the trained one will.
    untrained = Qwen2Tokenizer(unk_token=PAD, eos_token=END, pad_token=PAD).backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, USER, ASSISTANT, THINK, END_THINK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    untrained.train_from_iterator(texts, trainer)
    learned = json.loads(untrained.to_str())["model"]
    merges: Any = [(left, right) for left, right in learned["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=merges,
        unk_token=PAD,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    # As in DeepSeek-R1's tokenizer the think tokens are not "special": decoding with skip_special_tokens keeps the
    # thought's borders.
    tokenizer.add_tokens([AddedToken(THINK, normalized=False), AddedToken(END_THINK, normalized=False)])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
