"""What the phases share. Nothing here imports from a phase, a study or the workflow.

Contracts:      config (the configuration's types), schemas (tables), study (what a study provides), claims, results
Names and ids:  ids, families, lineage, names, vocabulary
Files:          tables, texts, scored, csv_files, disk (atomic writes), seal, clock
Steps:          cli, errors, keys, parent, devices, fingerprint, pieces (partial results)
LLMs that cost: endpoint, asking (estimates, one request each), answers (stored)
Models:         models, chat, batching, packing, logprobs, sampling, classifiers, rewards (scorers), rankers, pair_rm
                and pair_rm_text, scratch, vllm_backend
With solutions: solutions (of problems), verifier, llm_grades
Training:       objectives, head, embedding, gradients, products
World:          world (the didactic world)
"""
