"""What a study's answers say of its claims, in points, with every source of chance in the intervals. Pure.

components    mean squares of seeds, draws and questions; standard errors
resampling    draws of every policy's mean: questions resampled, seeds and draws of the data by their mean squares
estimates     a statistic with its draws, and its interval
direction     is it above zero; are all
equivalence   is it within a margin; are all
contrast      do some slopes exceed the sizes of others
power         the smallest effect that could have been decided
multiplicity  many claims at once: Holm, Benjamini and Hochberg

The model throughout: policy p, trained on draw d of the data with seed s, scores on question q

    v[p, d, s, q] = mean[p] + common[d] + draw[p, d] + seed[p, d, s] + question[p, q] + rest[p, d, s, q].

The target is each policy's mean over further draws, seeds and questions. Every policy answers the same questions, and
policies over the same prompts are trained on the same draws: contrasts between policies are paired in both. Seeds are
independent. With one draw, nothing is known of draws, and the target is the mean for this draw.

docs/statistics.md says the same for readers, with the coverage measured in simulated studies.
"""
