"""Building blocks for torch algorithms that train all seeds of a cohort as one computation.

``streams``: random numbers by purpose. ``encoding``: observations to features. ``parameters``, ``networks``,
``dense``: the weights of all seeds and the layers that use them; ``extension``, ``kernels``: compiled code.
``distributions``, ``actors``: stochastic policies. ``replay``, ``rollouts``, ``episodes``: experience.
``returns``, ``schedules``, ``optimisation``: what an update needs. ``diagnostics``, ``states``: what a
learner reports and keeps. ``devices``: where it runs.
"""
