"""Hugging Face on PyTorch: scaled dot-product attention, fused AdamW."""

import torch
import transformers
from batches import VOCABULARY_SIZE, inference_batches, pretraining_batch


def config(options):
    return transformers.AlbertConfig(
        vocab_size=VOCABULARY_SIZE,
        embedding_size=128,
        hidden_size=options["hidden_dim"],
        num_hidden_layers=options["num_layers"],
        num_attention_heads=options["num_heads"],
        intermediate_size=options["intermediate_dim"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )


def autocast(options):
    return torch.autocast(
        "cpu", torch.bfloat16, enabled=options["precision"] == "bfloat16"
    )


def pretraining(options):
    model = transformers.AlbertForPreTraining(config(options)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    batch = {
        name: torch.from_numpy(value).long()
        for name, value in pretraining_batch(options).items()
    }
    labels = torch.full_like(batch["token_ids"], -100)
    labels.scatter_(1, batch["mask_positions"], batch["mlm"])

    def loss():
        with autocast(options):
            return model(
                input_ids=batch["token_ids"],
                attention_mask=batch["padding_mask"],
                token_type_ids=batch["segment_ids"],
                labels=labels,
                sentence_order_label=batch["sop"],
            ).loss

    if options.get("compile"):
        loss = torch.compile(loss)

    def step():
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return value.item()

    return step


def inference(options):
    model = transformers.AlbertForQuestionAnswering(config(options)).eval()
    if options.get("compile"):
        many_widths = options["width"] is None
        model.forward = torch.compile(
            model.forward, dynamic=True if many_widths else None
        )
    batches = [
        {name: torch.from_numpy(value).long() for name, value in batch.items()}
        for batch in inference_batches(options)
    ]

    @torch.inference_mode()
    def run():
        with autocast(options):
            for batch in batches:
                model(
                    input_ids=batch["token_ids"],
                    attention_mask=batch["padding_mask"],
                ).start_logits.float().numpy()

    return run
